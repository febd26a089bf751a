import type { DeviceQuery, JobStatus, JobType, TargetType } from '@muster/contracts';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A batch job; its counts are those of the rollout with its id. */
@Entity({ name: 'job' })
@Index('job_list', ['project_id', 'created_at', 'id'])
@Index('job_finished', { synchronize: false })
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
  job_type!: JobType;

  @Column('text')
  description!: string;

  @Column('text', { array: true })
  tags!: string[];

  @Column('text')
  target_type!: TargetType;

  /** What was named; null when a query names the targets, and once the tasks are deleted. */
  @Column('jsonb', { nullable: true })
  target_ids!: string[] | null;

  @Column('jsonb', { nullable: true })
  target_query!: DeviceQuery | null;

  /** The groups that were named, as the document shows them. */
  @Column('jsonb', { default: [] })
  target_groups!: { id: string; name: string }[];

  @Column('text')
  task_data!: string;

  @Column('text')
  created_by!: string;

  /** Stopped for good. */
  @Column('boolean', { default: false })
  cancelled!: boolean;

  /** The job whose devices this one brings back to what they had, and the one that brings this one's back. */
  @Column('uuid', { nullable: true })
  rollback_of!: string | null;

  @Column('uuid', { nullable: true })
  rollback_job_id!: string | null;

  /** When the tasks were deleted, long after the job's end; the counts stay as they were. From then on it has no task to show or to retry. */
  @Column('timestamptz', { nullable: true })
  tasks_deleted_at!: Date | null;
}
