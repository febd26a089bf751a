import { jobPlanner } from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PROJECT, RunningPlanner } from '../testing/running-planner.js';

let planner: RunningPlanner;

beforeAll(async () => {
  planner = await RunningPlanner.start();
});
afterAll(() => planner.service.stop());

const exact = async (id: string) => {
  expect((await planner.job(id)).progress).toMatchObject(await planner.recount(id));
};

describe('a job', () => {
  it('given three nodes, when all succeed, then it is Successful and its document is complete', async () => {
    const nodes = planner.nodes(3);
    const id = await planner.create(nodes);
    const items = await planner.askedFor(id, 3);
    expect(planner.requests.find((batch) => batch.head.request_id === id)!.head).toMatchObject({
      command: 'deployment_deploy',
      args: { job_id: id, deployment: { a: 1 } },
      in_progress_seconds: 3_600,
      reply_to: 'muster.work.job-planner.outcome',
    });
    await planner.answer(id, items);
    const job = await planner.reached(id, 'Successful');
    expect(job).toMatchObject({
      task_total_count: 3,
      task_success_count: 3,
      task_failed_count: 0,
      task_data: '{"a":1}',
    });
    expect(new Set(job.targets.map((target) => target.target_id))).toEqual(new Set(nodes));
    const deployments = items.map((item) => item.args['deployment_id']);
    expect(new Set(job.tasks.map((task) => task.extension_info[0]!.value))).toEqual(new Set(deployments));
    expect(job.tasks.every((task) => /^aaa-[0-9a-f]{5}$/.test(task.task_name))).toBe(true);
    await exact(id);
    await vi.waitUntil(() => planner.service.statesOf(id).at(-1) === 'Successful');
    expect(planner.service.statesOf(id)).toEqual(['Waiting', 'Running', 'Successful']);
    expect(planner.service.statesOf(job.tasks[0]!.task_id)).toEqual(['Waiting', 'Running', 'Successful']);
  });

  it.each([
    ['all fail', ['FAILURE', 'FAILURE', 'FAILURE'], 'Failed'],
    ['some fail', ['SUCCESS', 'FAILURE', 'SUCCESS'], 'Partially_successful'],
    ['all run out of time', ['TIMEOUT', 'TIMEOUT', 'TIMEOUT'], 'Timed_out'],
    ['one runs out of time and the others fail', ['TIMEOUT', 'FAILURE', 'FAILURE'], 'Failed'],
  ] as const)('given three nodes of which %s, then the status says so', async (_what, outcomes, status) => {
    const id = await planner.create(planner.nodes(3));
    const items = await planner.askedFor(id, 3);
    for (const [index, outcome] of outcomes.entries()) await planner.answer(id, [items[index]!], outcome, 'why');
    const job = await planner.reached(id, status);
    expect(job.task_success_count + job.task_failed_count).toBe(3);
    await exact(id);
  });

  it('given max_in_flight, then never more devices are changed at once', async () => {
    const id = await planner.create(planner.nodes(10), { rollout: { max_in_flight: 3 } });
    for (let done = 0; done < 10; done += 1) {
      const items = await planner.askedFor(id, Math.min(done + 3, 10));
      expect(items.length).toBeLessThanOrEqual(done + 3);
      await planner.answer(id, [items[done]!]);
    }
    await planner.reached(id, 'Successful');
  });

  it('given free slots, then the first tasks in the order of planning are in flight from the write that makes them', async () => {
    const nodes = planner.nodes(6);
    const id = await planner.create(nodes, { rollout: { max_in_flight: 4 } });
    const items = await planner.askedFor(id, 4);
    const rows = await planner.service.query<{ target_id: string; state: string; version: number; written_by: string }>(
      `SELECT target_id, state, version, xmin::text AS written_by FROM job_task WHERE job_id = $1 ORDER BY id`,
      [id],
    );
    expect(new Set(rows.map((row) => row.written_by)).size).toBe(1);
    expect(rows.map(({ state, version }) => `${state} ${version}`)).toEqual([
      ...Array<string>(4).fill('Running 2'),
      ...Array<string>(2).fill('Waiting 1'),
    ]);
    expect(items.map((item) => item.device_id)).toEqual(rows.slice(0, 4).map((row) => row.target_id));
    await exact(id);
  });

  it('given outcomes that come twice, late or for a command of another try, then they change nothing', async () => {
    const id = await planner.create(planner.nodes(2));
    const [first, second] = await planner.askedFor(id, 2);
    await planner.answer(id, [first!], 'FAILURE');
    await vi.waitUntil(async () => (await planner.job(id)).progress.failed === 1);
    await planner.answer(id, [first!], 'SUCCESS');
    await planner.answer(id, [{ ...second!, command_id: uuid() }], 'FAILURE');
    await planner.answer(id, [second!]);
    const job = await planner.reached(id, 'Partially_successful');
    expect(job).toMatchObject({ task_success_count: 1, task_failed_count: 1 });
    await exact(id);
  });

  it('given a query for targets and more than one page, then every device has one task', async () => {
    const fresh = await RunningPlanner.start();
    try {
      const nodes = fresh.nodes(1_200);
      const id = await fresh.create([], {
        job_content: { target_type: 'node', target_query: { type: 'edge' }, task_data: '{}' },
      });
      const items = await fresh.askedFor(id, 1_000);
      await fresh.answer(id, items.slice(0, 500));
      await fresh.answer(id, (await fresh.askedFor(id, 1_200)).slice(500));
      const job = await fresh.reached(id, 'Successful');
      expect(job).toMatchObject({ task_total_count: 1_200, tasks_truncated: true });
      expect(job.tasks).toHaveLength(1_000);
      expect(new Set(fresh.asked(id).map((item) => item.device_id))).toEqual(new Set(nodes));

      const seen = new Set<string>();
      for (let marker: string | undefined; ;) {
        const page = await fresh.service.call(jobPlanner.listTasks, {
          project_id: PROJECT,
          job_id: id,
          limit: 500,
          ...(marker ? { marker } : {}),
        });
        expect(page.task_count).toBe(1_200);
        for (const task of page.tasks) seen.add(task.task_id);
        if (!page.next_marker) break;
        marker = page.next_marker;
      }
      expect(seen.size).toBe(1_200);
    } finally {
      await fresh.service.stop();
    }
  });

  it('given a restart in the middle, then the job goes on where it was', async () => {
    const id = await planner.create(planner.nodes(40), { rollout: { max_in_flight: 10 } });
    await planner.answer(id, (await planner.askedFor(id, 10)).slice(0, 10));
    await planner.service.restart();
    for (let done = 10; done < 40; done += 10)
      await planner.answer(id, (await planner.askedFor(id, done + 10)).slice(done, done + 10));
    await planner.reached(id, 'Successful');
    await exact(id);
  });

  it('given commands whose outcome never came, then they are asked for again', async () => {
    const id = await planner.create(planner.nodes(2));
    const items = await planner.askedFor(id, 2);
    const asked = () =>
      planner.requests.filter((batch) => batch.head.request_id === id).flatMap((batch) => batch.items).length;
    expect(asked()).toBe(2);
    await planner.service.query(`UPDATE job_task SET ask_at = now() WHERE job_id = $1`, [id]);
    await planner.service.query(`UPDATE rollout SET due_at = now() WHERE id = $1`, [id]);
    await vi.waitUntil(() => asked() === 4);
    expect(planner.asked(id)).toHaveLength(2);
    await planner.answer(id, items);
    await planner.reached(id, 'Successful');
  });
});

describe('what users do to a job', () => {
  it('pause: given tasks in flight, then it drains and stops, and restore goes on with the rest', async () => {
    const id = await planner.create(planner.nodes(6), { rollout: { max_in_flight: 2 } });
    const items = await planner.askedFor(id, 2);
    expect((await planner.act(id, 'pause')).status).toBe('Stopping');
    await planner.answer(id, items);
    const stopped = await planner.reached(id, 'Stopped');
    expect(stopped.progress).toMatchObject({ pending: 4, in_flight: 0, succeeded: 2 });
    expect(planner.asked(id)).toHaveLength(2);

    expect((await planner.act(id, 'restore')).status).toBe('Running');
    for (let done = 2; done < 6; done += 2)
      await planner.answer(id, (await planner.askedFor(id, done + 2)).slice(done, done + 2));
    await planner.reached(id, 'Successful');
    await exact(id);
  });

  it('retry: given some that failed, then only they run again, with commands of their own', async () => {
    const id = await planner.create(planner.nodes(5));
    const items = await planner.askedFor(id, 5);
    await planner.answer(id, items.slice(0, 3));
    await planner.answer(id, items.slice(3), 'FAILURE', 'disk full');
    const before = await planner.reached(id, 'Partially_successful');
    expect(before.tasks.filter((task) => task.status === 'Failed').map((task) => task.reason)).toEqual([
      'disk full',
      'disk full',
    ]);

    await planner.act(id, 'retry');
    const again = (await planner.askedFor(id, 7)).slice(5);
    expect(new Set(again.map((item) => item.device_id))).toEqual(new Set(items.slice(3).map((item) => item.device_id)));
    await planner.answer(id, again);
    await planner.reached(id, 'Successful');
    await exact(id);
    expect(planner.asked(id)).toHaveLength(7);
  });

  it('cancel: given tasks that wait and tasks in flight, then the first never start and the others’ commands are cancelled', async () => {
    const id = await planner.create(planner.nodes(8), { rollout: { max_in_flight: 3 } });
    const items = await planner.askedFor(id, 3);
    expect((await planner.act(id, 'cancel')).status).toBe('Stopping');
    const cancelled = () =>
      planner.cancels.filter((batch) => batch.head.request_id === id).flatMap((batch) => batch.items);
    await vi.waitUntil(() => cancelled().length === 3);
    expect((await planner.act(id, 'cancel')).status).toBe('Stopping');
    await planner.answer(id, items.slice(0, 2), 'CANCELLED', 'cancelled');
    await planner.answer(id, items.slice(2), 'SUCCESS');
    const job = await planner.reached(id, 'Stopped');
    expect(job).toMatchObject({
      reason: 'cancelled',
      progress: { cancelled: 7, succeeded: 1, pending: 0, in_flight: 0 },
    });
    await exact(id);
    expect(planner.asked(id)).toHaveLength(3);
    await expect(planner.act(id, 'restore')).rejects.toThrow('was cancelled');
  });

  it('cancel: given that no outcome comes, then the cancel is asked for again and the command is not', async () => {
    const id = await planner.create(planner.nodes(1));
    const [item] = await planner.askedFor(id, 1);
    await planner.act(id, 'cancel');
    const cancels = () =>
      planner.cancels.filter((batch) => batch.head.request_id === id).flatMap((batch) => batch.items);
    await vi.waitUntil(() => cancels().length === 1);
    await planner.service.query(`UPDATE job_task SET ask_at = now() WHERE job_id = $1`, [id]);
    await planner.service.query(`UPDATE rollout SET due_at = now() WHERE id = $1`, [id]);
    await vi.waitUntil(() => cancels().length === 2);
    expect(cancels()).toEqual([0, 1].map(() => ({ command_id: item!.command_id, ref: item!.ref })));
    expect(planner.requests.filter((batch) => batch.head.request_id === id)).toHaveLength(1);
    await planner.answer(id, [item!], 'CANCELLED');
    await planner.reached(id, 'Stopped');
  });

  it('given a paused job, when it is cancelled, then it ends Stopped with nothing left', async () => {
    const id = await planner.create(planner.nodes(4), { rollout: { max_in_flight: 1 } });
    const items = await planner.askedFor(id, 1);
    await planner.act(id, 'pause');
    await planner.answer(id, items);
    await planner.reached(id, 'Stopped');
    await planner.act(id, 'cancel');
    await vi.waitUntil(async () => (await planner.job(id)).progress.pending === 0);
    expect(await planner.reached(id, 'Stopped')).toMatchObject({
      reason: 'cancelled',
      progress: { cancelled: 3, succeeded: 1 },
    });
  });

  it('delete: given a job that runs, then it is refused; given one that has ended, then it is gone', async () => {
    const id = await planner.create(planner.nodes(1));
    const items = await planner.askedFor(id, 1);
    const remove = () => planner.service.call(jobPlanner.deleteJob, { project_id: PROJECT, job_id: id });
    await expect(remove()).rejects.toMatchObject({ kind: 'conflict' });
    await planner.answer(id, items);
    await planner.reached(id, 'Successful');
    await remove();
    await expect(planner.job(id)).rejects.toMatchObject({ kind: 'not_found' });
    await planner.answer(id, items);
  });

  it('given an action that the status does not allow, then it is refused and nothing changes', async () => {
    const id = await planner.create(planner.nodes(1));
    for (const action of ['restore', 'retry'] as const)
      await expect(planner.act(id, action)).rejects.toMatchObject({ kind: 'conflict' });
    await planner.answer(id, await planner.askedFor(id, 1));
    const ended = await planner.reached(id, 'Successful');
    for (const action of ['pause', 'restore', 'retry', 'cancel'] as const)
      await expect(planner.act(id, action)).rejects.toMatchObject({ kind: 'conflict' });
    expect(await planner.job(id)).toEqual(ended);
  });

  it('given the id of another project’s job, then it does not exist', async () => {
    const id = await planner.create(planner.nodes(1));
    await expect(planner.service.call(jobPlanner.getJob, { project_id: 'other', job_id: id })).rejects.toMatchObject({
      kind: 'not_found',
    });
    await expect(
      planner.service.call(jobPlanner.actOnJob, { project_id: 'other', job_id: id, action: 'cancel' }),
    ).rejects.toMatchObject({ kind: 'not_found' });
  });
});

describe('the list of jobs', () => {
  it('given jobs, then they are counted, filtered, sorted and paged', async () => {
    const list = (request: object) =>
      planner.service.call(jobPlanner.listJobs, {
        project_id: PROJECT,
        limit: 1000,
        offset: 0,
        sort: 'created_at:desc' as const,
        ...request,
      });
    const all = await list({});
    expect(all.job_count).toBe(all.jobs.length);
    const ascending = await list({ sort: 'created_at:asc' });
    expect(ascending.jobs.map((job) => job.job_id)).toEqual(all.jobs.map((job) => job.job_id).reverse());
    expect((await list({ limit: 2, offset: 1 })).jobs.map((job) => job.job_id)).toEqual(
      all.jobs.slice(1, 3).map((job) => job.job_id),
    );
    expect((await list({ status: 'Stopped' })).jobs.every((job) => job.status === 'Stopped')).toBe(true);
    await planner.create(planner.nodes(1), { job_name: 'upgrade', job_type: 'node_upgrade' });
    expect((await list({ job_type: 'node_upgrade' })).jobs.map((job) => job.job_name)).toEqual(['upgrade']);
  });
});
