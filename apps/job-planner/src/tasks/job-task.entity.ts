import type { JobTaskStatus, JsonObject } from '@muster/contracts';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { DeviceEnd } from '../rollout/tally.js';

/** One target of a job. */
@Entity({ name: 'job_task' })
@Index('job_task_job', ['project_id', 'job_id', 'id'])
@Index('job_task_of_device', ['project_id', 'device_id', 'job_id', 'target_id'], { unique: true })
@Index('job_task_turn', { synchronize: false })
@Index('job_task_turn_in_zone', { synchronize: false })
@Index('job_task_held', { synchronize: false })
@Index('job_task_in_flight', { synchronize: false })
@Index('job_task_unsuccessful', { synchronize: false })
export class JobTaskEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'job_task_pkey' })
  project_id!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'job_task_pkey' })
  id!: string;

  @Column('text')
  state!: JobTaskStatus;

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
  job_id!: string;

  @Column('uuid')
  target_id!: string;

  @Column('text')
  target_name!: string;

  /** The name of its device, where the target is something on it. */
  @Column('text', { nullable: true })
  node_name!: string | null;

  @Column('text')
  task_name!: string;

  /** What a deployment_deploy makes on the target, or an upgrade changes. */
  @Column('uuid', { nullable: true })
  deployment_id!: string | null;

  /** What its device is told beside what all are. */
  @Column('jsonb', { nullable: true })
  args!: JsonObject | null;

  // As in every table of devices' parts in rollouts: see TARGET_COLUMNS.

  @Column('uuid')
  device_id!: string;

  @Column('integer', { default: 0 })
  place!: number;

  @Column('text', { nullable: true })
  timezone!: string | null;

  @Column('text', { default: '' })
  waits_for!: '' | 'retry_at' | 'offline' | 'proof';

  @Column('uuid', { nullable: true })
  command_id!: string | null;

  @Column('integer', { default: 0 })
  attempts!: number;

  @Column('integer', { default: 0 })
  releases!: number;

  @Column('timestamptz', { nullable: true })
  ask_at!: Date | null;

  @Column('integer', { default: 0 })
  asks!: number;

  @Column('timestamptz', { nullable: true })
  contact_by!: Date | null;

  @Column('double precision', { nullable: true })
  took!: number | null;

  @Column('jsonb', { nullable: true })
  before!: JsonObject | null;

  @Column('boolean', { default: false })
  sent!: boolean;

  @Column('text', { nullable: true })
  outcome!: DeviceEnd | null;

  @Column('integer', { default: 0 })
  round!: number;
}
