import type { Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import type { JobEntity } from './job.entity.js';

export interface JobKey {
  project_id: string;
  id: string;
}

/** What an action on a job depends on. */
export type Standing = Pick<JobEntity, 'state' | 'tasks_deleted_at' | 'rollback_job_id'>;

/** The statements on jobs that are no transition. The rollout of the job is locked. */
@Injectable()
export class JobStore {
  /** Locks the job as well: that its tasks are given up is noted of the job alone. */
  async status(tx: Tx, id: string): Promise<Standing | undefined> {
    const [job] = await tx.query<Standing>(
      `SELECT state, tasks_deleted_at, rollback_job_id FROM job WHERE project_id = $1 AND id = $2 FOR UPDATE`,
      [tx.project, id],
    );
    return job;
  }

  async get(tx: Tx, id: string): Promise<JobEntity> {
    const [job] = await tx.query<JobEntity>(`SELECT * FROM job WHERE project_id = $1 AND id = $2`, [tx.project, id]);
    return job!;
  }

  /** Says anew why a job is as it is, where its state stays the same. */
  async explain(tx: Tx, id: string, reason: string): Promise<void> {
    await tx.query(`UPDATE job SET reason = $3 WHERE project_id = $1 AND id = $2`, [tx.project, id, reason]);
  }

  /** Notes which job brings the devices of this one back. */
  async linkRollback(tx: Tx, id: string, rollback: string): Promise<void> {
    await tx.query(`UPDATE job SET rollback_job_id = $3 WHERE project_id = $1 AND id = $2`, [tx.project, id, rollback]);
  }

  /** The job is gone at once; its tasks, which may be a million, go in the background. */
  async delete(tx: Tx, id: string): Promise<void> {
    await tx.query(
      `WITH gone AS (DELETE FROM job WHERE project_id = $1 AND id = $2 RETURNING project_id, id),
         its_rollout AS (DELETE FROM rollout WHERE project_id = $1 AND id = $2),
         its_approvals AS (DELETE FROM approval WHERE project_id = $1 AND subject_id = $2)
       INSERT INTO task_removal (project_id, job_id) SELECT project_id, id FROM gone ON CONFLICT DO NOTHING`,
      [tx.project, id],
    );
  }
}
