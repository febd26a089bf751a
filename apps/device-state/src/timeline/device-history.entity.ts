import type { JsonObject } from '@muster/contracts';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** One thing that happened to a device. */
@Entity({ name: 'device_history' })
@Index('device_history_at', ['at'])
export class DeviceHistoryEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'device_history_pkey' })
  project_id!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'device_history_pkey' })
  device_id!: string;

  @PrimaryColumn('timestamptz', { primaryKeyConstraintName: 'device_history_pkey', default: () => 'clock_timestamp()' })
  at!: Date;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'device_history_pkey' })
  id!: string;

  @Column('text')
  entity!: string;

  @Column('uuid')
  entity_id!: string;

  @Column('text')
  state!: string;

  @Column('text')
  reason!: string;

  @Column('jsonb')
  detail!: JsonObject;
}
