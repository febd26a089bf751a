import { jobPlanner } from '@muster/contracts';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PROJECT, RunningPlanner } from '../testing/running-planner.js';
import { FINISHED, TaskRetention } from './task.retention.js';

const DAY_MS = 86_400_000;

let planner: RunningPlanner;

beforeAll(async () => {
  planner = await RunningPlanner.start();
});
afterAll(() => planner.service.stop());

const inDays = (days: number) => Date.now() + days * DAY_MS;
const tasks = async (jobId: string) => {
  const [row] = await planner.service.query<{ n: number }>(
    `SELECT count(*)::integer AS n FROM job_task WHERE job_id = $1`,
    [jobId],
  );
  return row!.n;
};
const clean = async (now: number) => {
  while (await planner.service.get(TaskRetention).step(now));
};
/** Until so many transactions wait for each other. */
const waiting = (count: number) =>
  vi.waitUntil(async () => {
    const found = await planner.service.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return found.length >= count;
  });
const listTasks = (job_id: string) =>
  planner.service.call(jobPlanner.listTasks, { project_id: PROJECT, job_id, limit: 10 });

async function ended(nodes: number, outcome: 'SUCCESS' | 'FAILURE', status: 'Successful' | 'Failed'): Promise<string> {
  const id = await planner.create(planner.nodes(nodes));
  await planner.answer(id, await planner.askedFor(id, nodes), outcome);
  await planner.reached(id, status);
  return id;
}

describe('the tasks of jobs, whose history is kept 30 days', () => {
  it('given a job that ended, one that runs and one that is paused, then after 30 days those of the first go, and no sooner', async () => {
    const old = await ended(3, 'SUCCESS', 'Successful');
    const paused = await planner.create(planner.nodes(3), { rollout: { max_in_flight: 1 } });
    const [item] = await planner.askedFor(paused, 1);
    await planner.act(paused, 'pause');
    await planner.answer(paused, [item!]);
    await planner.reached(paused, 'Stopped');
    const running = await planner.create(planner.nodes(2));
    await planner.askedFor(running, 2);
    const before = await planner.job(old);

    await clean(inDays(29.9));
    expect(await tasks(old)).toBe(3);
    await clean(inDays(30.1));
    expect([await tasks(old), await tasks(paused), await tasks(running)]).toEqual([0, 3, 2]);

    const { tasks: _tasks, targets: _targets, ...kept } = before;
    const after = await planner.job(old);
    expect(after).toEqual({
      ...kept,
      tasks: [],
      targets: [],
      tasks_truncated: true,
      tasks_deleted_at: expect.any(Number) as number,
    });
    expect(after.progress).toMatchObject({ targeted: 3, succeeded: 3, percent: 100 });
    await expect(listTasks(old)).rejects.toMatchObject({
      kind: 'not_found',
      message: `the tasks of the job were deleted on ${new Date().toISOString().slice(0, 10)}`,
    });

    await planner.act(paused, 'restore');
    await planner.answer(paused, (await planner.askedFor(paused, 2)).slice(1));
    await planner.answer(paused, (await planner.askedFor(paused, 3)).slice(2));
    await planner.answer(running, planner.asked(running));
    expect((await planner.reached(paused, 'Successful')).task_success_count).toBe(3);
    await planner.reached(running, 'Successful');
  });

  it('given a job that was cancelled or failed, then its tasks go too, and a retry is refused instead of doing nothing', async () => {
    const failed = await ended(2, 'FAILURE', 'Failed');
    const cancelled = await planner.create(planner.nodes(2));
    const items = await planner.askedFor(cancelled, 2);
    await planner.act(cancelled, 'cancel');
    await planner.answer(cancelled, items, 'CANCELLED');
    await planner.reached(cancelled, 'Stopped');
    await clean(inDays(31));
    expect([await tasks(failed), await tasks(cancelled)]).toEqual([0, 0]);
    await expect(planner.act(failed, 'retry')).rejects.toMatchObject({ kind: 'conflict' });
    await expect(planner.act(failed, 'retry')).rejects.toThrow('there is nothing left to retry');
    expect(await planner.job(failed)).toMatchObject({ status: 'Failed', task_failed_count: 2 });
    await planner.service.call(jobPlanner.deleteJob, { project_id: PROJECT, job_id: failed });
    await expect(planner.job(failed)).rejects.toMatchObject({ kind: 'not_found' });
  });

  it('given a retry of a job before its time, then it has not ended and keeps its tasks', async () => {
    const id = await ended(2, 'FAILURE', 'Failed');
    await planner.act(id, 'retry');
    await planner.askedFor(id, 4);
    await clean(inDays(31));
    expect(await tasks(id)).toBe(2);
    await planner.answer(id, (await planner.askedFor(id, 4)).slice(2));
    await planner.reached(id, 'Successful');
  });

  it('given a retry at the moment at which they go, then it is refused: nothing is left to retry', async () => {
    const id = await ended(2, 'FAILURE', 'Failed');
    const held = planner.service.get(DataSource).createQueryRunner();
    await held.startTransaction();
    await held.query(`INSERT INTO task_removal (project_id, job_id) VALUES ($1, $2)`, [PROJECT, id]);
    const given = planner.service.get(TaskRetention).giveUp(new Date(inDays(31)));
    await waiting(1);
    const retried = planner.act(id, 'retry').catch((error: unknown) => error);
    await waiting(2);
    await held.rollbackTransaction();
    await held.release();
    expect(await given).toBeGreaterThan(0);
    expect(await retried).toMatchObject({ kind: 'conflict' });
    expect((await planner.job(id)).status).toBe('Failed');
    await clean(inDays(31));
  });

  it('given a job that its user deletes, then it is gone at once and its tasks follow in pages', async () => {
    const id = await ended(1, 'SUCCESS', 'Successful');
    await planner.service.query(
      `INSERT INTO job_task (project_id, id, state, version, job_id, target_id, device_id, target_name, task_name)
       SELECT project_id, gen_random_uuid(), state, version, job_id, gen_random_uuid(), device_id, target_name, task_name
       FROM job_task, generate_series(1, 4500) WHERE job_id = $1`,
      [id],
    );
    await planner.service.call(jobPlanner.deleteJob, { project_id: PROJECT, job_id: id });
    await expect(planner.job(id)).rejects.toMatchObject({ kind: 'not_found' });
    await expect(listTasks(id)).rejects.toMatchObject({ kind: 'not_found' });
    const retention = planner.service.get(TaskRetention);
    expect([await retention.deletePage(), await retention.deletePage(), await retention.deletePage()]).toEqual([
      2_000, 2_000, 501,
    ]);
    expect(await retention.deletePage()).toBeUndefined();
    expect(await tasks(id)).toBe(0);
  });

  it('given several replicas at once, then every job is given up once and every task deleted once', async () => {
    const ids = await Promise.all(Array.from({ length: 6 }, () => ended(2, 'SUCCESS', 'Successful')));
    const retention = planner.service.get(TaskRetention);
    const given = await Promise.all([1, 2, 3].map(() => retention.giveUp(new Date(inDays(1)))));
    const rest = await retention.giveUp(new Date(inDays(1)));
    expect([...given, rest].reduce((sum, n) => sum + n, 0)).toBeGreaterThanOrEqual(ids.length);
    expect(await retention.giveUp(new Date(inDays(1)))).toBe(0);
    const drain = async () => {
      let deleted = 0;
      for (let page = await retention.deletePage(); page !== undefined; page = await retention.deletePage())
        deleted += page;
      return deleted;
    };
    const [row] = await planner.service.query<{ n: number }>(
      `SELECT count(*)::integer AS n FROM job_task JOIN task_removal USING (project_id, job_id)`,
    );
    const deleted = await Promise.all([drain(), drain(), drain()]);
    expect(deleted.reduce((sum, n) => sum + n, 0) + (await drain())).toBe(row!.n);
    for (const id of ids) expect(await tasks(id)).toBe(0);
  });

  it('given jobs that are due, then they are found by their index', async () => {
    await planner.service.query(`SET enable_seqscan = off`);
    const plan = await planner.service.query<{ 'QUERY PLAN': string }>(
      `EXPLAIN SELECT project_id, id FROM job WHERE ${FINISHED} AND state_at < now() ORDER BY state_at LIMIT 100`,
    );
    await planner.service.query(`RESET enable_seqscan`);
    expect(plan.map((row) => row['QUERY PLAN']).join('\n')).toContain('Index Scan using job_finished');
  });
});
