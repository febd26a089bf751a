import type { JobStatus } from '@muster/contracts';
import type { EntityManager } from 'typeorm';
import type { ShownTask } from '../jobs/job.document.js';

/** Which tasks of a job: those after the task `after` in the order of planning, in one status or in any. */
export interface TaskPage {
  status?: JobStatus | undefined;
  after?: string | undefined;
  limit: number;
}

/**
 * What is shown of a page of a job's tasks. Plain rows without dates: to make entities of a thousand of them, and dates of their times, costs
 * several times the query.
 */
export function shownTasks(
  manager: EntityManager,
  job: { project_id: string; id: string },
  { status, after, limit }: TaskPage,
): Promise<ShownTask[]> {
  const parameters: unknown[] = [job.project_id, job.id, limit];
  const conditions = ['project_id = $1', 'job_id = $2'];
  // A status that only jobs have is a fair question with an empty answer.
  if (status) conditions.push(`state = $${parameters.push(status)}`);
  if (after) conditions.push(`id > $${parameters.push(after)}`);
  return manager.query<ShownTask[]>(
    `SELECT id, task_name, target_id, target_name, node_name, state, reason, deployment_id,
       floor(extract(epoch FROM created_at))::float8 AS created_at
     FROM job_task WHERE ${conditions.join(' AND ')} ORDER BY id LIMIT $3`,
    parameters,
  );
}
