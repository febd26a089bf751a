import type { DeviceQuery, JobStatus, Rollout } from '@muster/contracts';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import type { Wish } from './job.decide.js';

const count = () => Column('integer', { default: 0 });

/** A batch job with its exact counts. */
@Entity({ name: 'job' })
@Index('job_list', ['project_id', 'created_at', 'id'])
@Index('job_finished', { synchronize: false })
@Index('job_open', { synchronize: false })
@Index('job_due', ['due_at'], { where: 'due_at IS NOT NULL' })
export class JobEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'job_pkey' })
  project_id!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'job_pkey' })
  id!: string;

  @Column('text')
  state!: JobStatus;

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

  @Column('jsonb', { default: [] })
  activity!: { state: string; at: string }[];

  @Column('text', { nullable: true })
  traceparent!: string | null;

  @Column('text')
  job_name!: string;

  @Column('text')
  job_type!: 'node_upgrade' | 'deployment_deploy';

  @Column('text')
  description!: string;

  @Column('text', { array: true })
  tags!: string[];

  @Column('text')
  target_type!: 'node';

  /** The devices that were named; null when a query names them, and once the tasks are deleted. */
  @Column('jsonb', { nullable: true })
  target_ids!: string[] | null;

  @Column('jsonb', { nullable: true })
  target_query!: DeviceQuery | null;

  @Column('text')
  task_data!: string;

  /** As it was given. */
  @Column('jsonb')
  rollout!: Rollout;

  @Column('text')
  created_by!: string;

  @Column('integer')
  max_in_flight!: number;

  @Column('text', { default: 'run' })
  wish!: Wish;

  @Column('boolean', { default: false })
  planned!: boolean;

  /** How far planning came: an index into `target_ids`, or the last device of the query. */
  @Column('text', { default: '' })
  plan_cursor!: string;

  @Column('boolean', { default: false })
  reopening!: boolean;

  /** Raised by each retry; a task with a lower one has not been reopened by it yet. */
  @Column('integer', { default: 0 })
  round!: number;

  /** When the sweep looks next; null once it has ended. */
  @Column('timestamptz', { nullable: true })
  due_at!: Date | null;

  @count()
  task_total!: number;

  @count()
  pending!: number;

  @count()
  in_flight!: number;

  @count()
  stopping!: number;

  @count()
  succeeded!: number;

  @count()
  failed!: number;

  @count()
  timed_out!: number;

  @count()
  cancelled!: number;

  /** When the tasks were deleted, long after the job's end; the counts stay as they were. From then on it has no task to show or to retry. */
  @Column('timestamptz', { nullable: true })
  tasks_deleted_at!: Date | null;
}
