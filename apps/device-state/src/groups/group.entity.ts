import type { DeviceQuery } from '@muster/contracts';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** One group of devices: by list, then its members are rows of `group_member`, or by query. */
@Entity({ name: 'device_group' })
@Index('device_group_name', ['project_id', 'name'], { unique: true })
@Index('device_group_parent', ['project_id', 'parent_id', 'id'])
export class GroupEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'device_group_pkey' })
  project_id!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'device_group_pkey' })
  id!: string;

  @Column({ type: 'text', collation: 'C' })
  name!: string;

  @Column('uuid', { nullable: true })
  parent_id!: string | null;

  @Column('jsonb', { nullable: true })
  query!: DeviceQuery | null;

  /** The groups that the query names. */
  @Column('uuid', { array: true, default: [] })
  refers!: string[];

  /** How many devices are in its list; null for a group by query. */
  @Column('integer', { nullable: true })
  device_count!: number | null;

  @Column('timestamptz', { default: () => 'now()' })
  created_at!: Date;

  @Column('timestamptz', { default: () => 'now()' })
  updated_at!: Date;
}
