import type { Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Counts } from './job.decide.js';
import type { JobEntity } from './job.entity.js';

/** Changes of counts. */
export type CountChanges = Partial<Counts & { task_total: number }>;

export interface JobKey {
  project_id: string;
  id: string;
}

// Without the targets: they may be thousands, and only planning reads them.
const LOCKED = [
  'project_id',
  'id',
  'state',
  'reason',
  'traceparent',
  'job_name',
  'job_type',
  'task_data',
  'rollout',
  'max_in_flight',
  'wish',
  'planned',
  'plan_cursor',
  'reopening',
  'round',
  'task_total',
  'pending',
  'in_flight',
  'stopping',
  'succeeded',
  'failed',
  'timed_out',
  'cancelled',
  'tasks_deleted_at',
] as const satisfies (keyof JobEntity)[];

/** A job as its lock gives it. */
export type LockedJob = Pick<JobEntity, (typeof LOCKED)[number]>;

/** The statements on jobs that are no transition. */
@Injectable()
export class JobStore {
  constructor(private readonly dataSource: DataSource) {}

  /** Locks the job until the transaction ends: everything that moves its tasks or counts does this first. */
  async lock(tx: Tx, id: string): Promise<LockedJob | undefined> {
    const [job] = await tx.query<LockedJob>(
      `SELECT ${LOCKED.join(', ')} FROM job WHERE project_id = $1 AND id = $2 FOR UPDATE`,
      [tx.project, id],
    );
    return job;
  }

  /** Moves counts by what statements of the same transaction really did. */
  async count(tx: Tx, id: string, changes: CountChanges): Promise<void> {
    await update(tx, id, [], [], changes);
  }

  /** How far planning came, and what the page that was planned did to the counts. */
  async savePlan(tx: Tx, id: string, cursor: string, planned: boolean, changes: CountChanges): Promise<void> {
    await update(tx, id, ['plan_cursor = $3', 'planned = $4'], [cursor, planned], changes);
  }

  async endReopening(tx: Tx, id: string): Promise<void> {
    await tx.query(`UPDATE job SET reopening = false WHERE project_id = $1 AND id = $2`, [tx.project, id]);
  }

  /** What is wanted of the job, where its state stays as it is. */
  async saveWish(tx: Tx, id: string, wish: string, reason: string): Promise<void> {
    await tx.query(`UPDATE job SET wish = $3, reason = $4, due_at = now() WHERE project_id = $1 AND id = $2`, [
      tx.project,
      id,
      wish,
      reason,
    ]);
  }

  /** The job is gone at once; its tasks, which may be a million, go in the background. */
  async delete(tx: Tx, id: string): Promise<void> {
    await tx.query(
      `WITH gone AS (DELETE FROM job WHERE project_id = $1 AND id = $2 RETURNING project_id, id)
       INSERT INTO task_removal (project_id, job_id) SELECT project_id, id FROM gone ON CONFLICT DO NOTHING`,
      [tx.project, id],
    );
  }

  /** Every open job is to be looked at now: whoever was doing so may have died. */
  async makeDue(): Promise<void> {
    await this.dataSource.query(`UPDATE job SET due_at = now() WHERE due_at > now()`);
  }

  /** Jobs that the sweep has to look at, of every project; each is claimed for a while, so that replicas do not take the same. */
  async claimDue(limit: number, seconds: number): Promise<JobKey[]> {
    const [rows] = await this.dataSource.query<[JobKey[], number]>(
      `UPDATE job SET due_at = now() + make_interval(secs => $2)
       FROM (SELECT project_id, id FROM job WHERE due_at <= now() ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED) AS due
       WHERE job.project_id = due.project_id AND job.id = due.id
       RETURNING job.project_id, job.id`,
      [limit, seconds],
    );
    return rows;
  }
}

/** One write of the job's row: `assignments`, whose parameters begin at `$3`, and the counts that change. */
async function update(
  tx: Tx,
  id: string,
  assignments: string[],
  values: unknown[],
  changes: CountChanges,
): Promise<void> {
  const counts = Object.entries(changes).filter(([, change]) => change !== 0);
  const all = [...assignments, ...counts.map(([name], at) => `${name} = ${name} + $${values.length + at + 3}`)];
  if (all.length === 0) return;
  await tx.query(`UPDATE job SET ${all.join(', ')} WHERE project_id = $1 AND id = $2`, [
    tx.project,
    id,
    ...values,
    ...counts.map(([, change]) => change),
  ]);
}
