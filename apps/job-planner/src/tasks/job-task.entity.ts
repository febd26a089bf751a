import type { JsonObject } from '@muster/contracts';
import { Column, Entity, Index } from 'typeorm';
import { TargetRow } from '../rollout/target.row.js';

/** One target of a job. */
@Entity({ name: 'job_task' })
@Index('job_task_job', ['project_id', 'job_id', 'id'])
@Index('job_task_of_device', ['project_id', 'device_id', 'job_id', 'target_id'], { unique: true })
@Index('job_task_turn', { synchronize: false })
@Index('job_task_turn_in_zone', { synchronize: false })
@Index('job_task_to_come_in_zone', { synchronize: false })
@Index('job_task_held', { synchronize: false })
@Index('job_task_in_flight', { synchronize: false })
@Index('job_task_unsuccessful', { synchronize: false })
export class JobTaskEntity extends TargetRow {
  @Column('uuid')
  job_id!: string;

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
}
