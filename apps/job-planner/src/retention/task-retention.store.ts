import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

const JOBS_AT_ONCE = 100;
const TASKS_AT_ONCE = 2_000;

/** SQL: the jobs that have ended and still have their tasks, as the index on them says it; a job that is paused has not ended. */
export const FINISHED = `tasks_deleted_at IS NULL
  AND (state IN ('Successful', 'Partially_successful', 'Failed', 'Timed_out') OR state = 'Stopped' AND wish = 'cancel')`;

/** SQL of what job-planner no longer keeps. */
@Injectable()
export class TaskRetentionStore {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * Has the tasks deleted of some of the jobs that ended before `before`; from here on these have none for their readers.
   * @returns how many jobs.
   */
  async giveUp(before: Date): Promise<number> {
    const [row] = await this.dataSource.query<{ n: number }[]>(
      `WITH due AS MATERIALIZED (
         SELECT project_id, id FROM job
         WHERE ${FINISHED} AND state_at < $1
         ORDER BY state_at LIMIT ${JOBS_AT_ONCE} FOR UPDATE SKIP LOCKED
       ), marked AS (
         UPDATE job SET tasks_deleted_at = now(), target_ids = NULL FROM due
         WHERE job.project_id = due.project_id AND job.id = due.id
         RETURNING job.project_id, job.id
       ), queued AS (
         INSERT INTO task_removal (project_id, job_id) SELECT project_id, id FROM marked ON CONFLICT DO NOTHING
       )
       SELECT count(*)::integer AS n FROM marked`,
      [before],
    );
    return row!.n;
  }

  /** Deletes a page of the tasks of a job that no other replica is at. @returns how many, or undefined when no such job is left. */
  async deletePage(): Promise<number | undefined> {
    return this.dataSource.transaction(async (manager) => {
      const [job] = await manager.query<{ project_id: string; job_id: string }[]>(
        `SELECT project_id, job_id FROM task_removal ORDER BY project_id, job_id LIMIT 1 FOR UPDATE SKIP LOCKED`,
      );
      if (!job) return undefined;
      const key = [job.project_id, job.job_id];
      const [, count] = await manager.query<[unknown[], number]>(
        `DELETE FROM job_task WHERE project_id = $1 AND id = ANY (ARRAY(
           SELECT id FROM job_task WHERE project_id = $1 AND job_id = $2 ORDER BY id LIMIT ${TASKS_AT_ONCE}))`,
        key,
      );
      if (count < TASKS_AT_ONCE)
        await manager.query(`DELETE FROM task_removal WHERE project_id = $1 AND job_id = $2`, key);
      return count;
    });
  }
}
