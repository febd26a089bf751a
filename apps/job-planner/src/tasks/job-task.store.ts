import { BATCH_SIZE, type JobTaskStatus } from '@muster/contracts';
import type { Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';

/** What is needed to ask for a task's command. */
export interface Askable {
  id: string;
  target_id: string;
  command_id: string;
  deployment_id: string | null;
  state: JobTaskStatus;
}

/** The statements on tasks that are no transition. The job is locked by the transaction. */
@Injectable()
export class JobTaskStore {
  /** The next tasks to release, in the order of their planning. */
  async waiting(tx: Tx, jobId: string, limit: number): Promise<string[]> {
    const rows = await tx.query<{ id: string }>(
      `SELECT id FROM job_task WHERE project_id = $1 AND job_id = $2 AND state = 'Waiting' ORDER BY id LIMIT $3`,
      [tx.project, jobId, limit],
    );
    return rows.map((row) => row.id);
  }

  async running(tx: Tx, jobId: string, limit: number): Promise<string[]> {
    const rows = await tx.query<{ id: string }>(
      `SELECT id FROM job_task WHERE project_id = $1 AND job_id = $2 AND state = 'Running' ORDER BY id LIMIT $3`,
      [tx.project, jobId, limit],
    );
    return rows.map((row) => row.id);
  }

  /** Tasks that ended without success and that this round of retry has not reopened yet. */
  async reopenable(tx: Tx, jobId: string, round: number, limit: number): Promise<string[]> {
    const rows = await tx.query<{ id: string }>(
      `SELECT id FROM job_task WHERE project_id = $1 AND job_id = $2 AND state IN ('Failed', 'Timed_out', 'Stopped') AND round < $3
       ORDER BY id LIMIT $4`,
      [tx.project, jobId, round, limit],
    );
    return rows.map((row) => row.id);
  }

  /** A page of the tasks in flight that have had no word for `seconds`. */
  async silent(tx: Tx, jobId: string, seconds: number, after: string): Promise<Askable[]> {
    return tx.query<Askable>(
      `SELECT id, target_id, command_id, deployment_id, state FROM job_task
       WHERE project_id = $1 AND job_id = $2 AND id > $4 AND state IN ('Running', 'Stopping') AND state_at < now() - make_interval(secs => $3)
       ORDER BY id LIMIT ${BATCH_SIZE}`,
      [tx.project, jobId, seconds, after],
    );
  }
}
