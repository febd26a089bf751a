import type { DeviceQuery, JobStatus, JobType, TargetType } from '@muster/contracts';
import { StateRow } from '@muster/journal';
import { Column, Entity, Index } from 'typeorm';

/** A batch job; its counts are those of the rollout with its id. */
@Entity({ name: 'job' })
@Index('job_list', ['project_id', 'created_at', 'id'])
@Index('job_finished', { synchronize: false })
export class JobEntity extends StateRow<JobStatus> {
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
