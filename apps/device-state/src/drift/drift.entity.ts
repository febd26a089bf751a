import type { Drift } from '@muster/contracts';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** The drift of one device that drifted once at least; its id follows from the device's. */
@Entity({ name: 'drift' })
@Index('drift_open', ['project_id', 'id'], { where: `state = 'DRIFTED'` })
export class DriftEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'drift_pkey' })
  project_id!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'drift_pkey' })
  id!: string;

  @Column('text')
  state!: Drift['state'];

  @Column('text', { nullable: true })
  from_state!: string | null;

  @Column('integer')
  version!: number;

  @Column('text', { default: '' })
  reason!: string;

  @Column('timestamptz', { default: () => 'now()' })
  state_at!: Date;

  @Column('timestamptz', { default: () => 'now()' })
  created_at!: Date;

  @Column('uuid')
  device_id!: string;

  /** What the device lacks, or lacked when it was resolved. */
  @Column('text', { array: true, default: [] })
  paths!: string[];
}
