import { Entity, PrimaryColumn } from 'typeorm';

/** A job whose tasks are to be deleted, page by page. The job itself may be gone. */
@Entity({ name: 'task_removal' })
export class TaskRemovalEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'task_removal_pkey' })
  project_id!: string;

  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'task_removal_pkey' })
  job_id!: string;
}
