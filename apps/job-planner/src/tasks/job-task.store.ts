import { BATCH_SIZE, type JobTaskStatus } from '@muster/contracts';
import type { Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';

const FIRST_ASK_SECONDS = 60;
const MOST_ASK_SECONDS = 3_600;

/** SQL: how soon a task that has just moved is asked about, should nothing come. */
export const FIRST_ASK_AT = `now() + interval '${FIRST_ASK_SECONDS} seconds'`;

/** SQL over `t`: the pause after another ask. */
const ASK_PAUSE = `make_interval(secs => least(${FIRST_ASK_SECONDS} * 2 ^ least(t.asks + 1, 16), ${MOST_ASK_SECONDS}))`;

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

  /** Claims tasks in flight whose time to ask again has come; each is left alone after that for twice as long as before. */
  async claimSilent(tx: Tx, jobId: string): Promise<Askable[]> {
    return tx.query<Askable>(
      `WITH claimed AS (
         UPDATE job_task t SET ask_at = now() + ${ASK_PAUSE}, asks = t.asks + 1
         FROM (
           SELECT id FROM job_task
           WHERE project_id = $1 AND job_id = $2 AND state IN ('Running', 'Stopping') AND ask_at <= now()
           ORDER BY id LIMIT ${BATCH_SIZE}
         ) AS due
         WHERE t.project_id = $1 AND t.id = due.id
         RETURNING t.id, t.target_id, t.command_id, t.deployment_id, t.state
       )
       SELECT * FROM claimed`,
      [tx.project, jobId],
    );
  }
}
