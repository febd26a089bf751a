import type { JobTaskStatus } from '@muster/contracts';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** One target of a job. */
@Entity({ name: 'job_task' })
@Index('job_task_job', ['project_id', 'job_id', 'id'])
@Index('job_task_target', ['project_id', 'target_id'])
@Index('job_task_in_flight', ['project_id', 'job_id', 'id'], { where: `state IN ('Running', 'Stopping')` })
@Index('job_task_unsuccessful', ['project_id', 'job_id', 'id'], {
  where: `state IN ('Failed', 'Timed_out', 'Stopped')`,
})
@Index('job_task_waiting', ['project_id', 'job_id', 'id'], { where: `state = 'Waiting'` })
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

  @Column('text')
  task_name!: string;

  /** What a deployment_deploy makes on the target. */
  @Column('uuid', { nullable: true })
  deployment_id!: string | null;

  /** The command of the present try. */
  @Column('uuid', { nullable: true })
  command_id!: string | null;

  @Column('integer', { default: 0 })
  round!: number;

  /** When its command, or the cancel of it, is asked for again if no outcome has come. */
  @Column('timestamptz', { nullable: true })
  ask_at!: Date | null;

  /** How often that was done. */
  @Column('integer', { default: 0 })
  asks!: number;
}
