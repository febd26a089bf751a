import { jobPlanner, type Rollout } from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { JobTargets } from '../jobs/job.targets.js';
import { RolloutsOfTest } from '../testing/rollouts-of-test.js';
import { PROJECT, RunningPlanner, type Asked } from '../testing/running-planner.js';

let planner: RunningPlanner;
let rollouts: RolloutsOfTest;

beforeAll(async () => {
  planner = await RunningPlanner.start();
  rollouts = new RolloutsOfTest(planner);
});
afterAll(() => planner.service.stop());

describe('a stop rule', () => {
  it('given one that pauses, then what is under way drains, nothing else begins, and a restore starts counting anew', async () => {
    const { id } = await rollouts.start(20, { max_in_flight: 4, abort: [{ count: 2, action: 'pause' }] });
    const items = await planner.askedFor(id, 4);
    await planner.answer(id, items.slice(0, 2), 'FAILURE', 'no space');
    await expect.poll(async () => (await planner.job(id)).status).toBe('Stopping');
    expect(planner.asked(id)).toHaveLength(4);
    await planner.answer(id, items.slice(2));
    const stopped = await planner.reached(id, 'Stopped');
    expect(stopped).toMatchObject({
      reason: 'stop rule 1: 2 devices did not succeed',
      progress: { failed: 2, succeeded: 2 },
    });
    await planner.act(id, 'restore');
    const more = (await planner.askedFor(id, 8)).slice(4);
    await planner.answer(id, more.slice(0, 1), 'FAILURE');
    await planner.answer(id, more.slice(1));
    const rest = (await planner.askedFor(id, 12)).slice(8);
    await planner.answer(id, rest.slice(0, 1), 'FAILURE');
    await expect.poll(async () => (await planner.job(id)).status).toBe('Stopping');
    await planner.answer(id, rest.slice(1));
    await planner.reached(id, 'Stopped');
    expect(planner.asked(id)).toHaveLength(12);
    await rollouts.exact(id);
  });

  it('given one that cancels by the refusals alone, then other failures do not count, and the rest is cancelled', async () => {
    const { id } = await rollouts.start(6, {
      max_in_flight: 3,
      abort: [{ outcome: 'rejected', percent: 50, action: 'cancel' }],
    });
    const items = await planner.askedFor(id, 3);
    await planner.answer(id, items.slice(0, 1), 'FAILURE', '', { code: 'disk' });
    const more = await planner.askedFor(id, 4);
    await planner.answer(id, more.slice(1, 2), 'FAILURE', '', { code: 'no_handler' });
    await vi.waitUntil(() => planner.cancels.some((batch) => batch.head.request_id === id));
    const cancelled = planner.cancels.filter((batch) => batch.head.request_id === id).flatMap((batch) => batch.items);
    await planner.answer(
      id,
      planner.asked(id).filter((item) => cancelled.some((one) => one.command_id === item.command_id)),
      'CANCELLED',
    );
    const job = await planner.reached(id, 'Stopped');
    expect(job.progress).toMatchObject({ failed: 1, rejected: 1, cancelled: 4 });
    expect(job.task_failed_count).toBe(2);
    await expect(planner.act(id, 'restore')).rejects.toMatchObject({ kind: 'conflict' });
    await rollouts.exact(id);
  });

  it('given devices that were never contacted, then they count for no rule', async () => {
    const { id } = await rollouts.start(4, { abort: [{ percent: 1, action: 'pause' }] });
    const items = await planner.askedFor(id, 4);
    await planner.answer(id, items.slice(0, 2), 'TIMEOUT', 'never_contacted', { sent: false });
    await planner.answer(id, items.slice(2));
    expect((await planner.reached(id, 'Partially_successful')).progress).toMatchObject({ timed_out: 2, succeeded: 2 });
  });
});

describe('a further page of devices', () => {
  /** Keeps what comes after the first page back until it is let go. */
  function holdPages(): () => void {
    const targets = planner.service.get(JobTargets);
    const page = targets.page.bind(targets);
    const { promise, resolve } = Promise.withResolvers<void>();
    vi.spyOn(targets, 'page').mockImplementation(async (rollout, job) => {
      if (rollout.plan_cursor !== '') await promise;
      return page(rollout, job);
    });
    return resolve;
  }
  afterEach(() => vi.restoreAllMocks());

  it('given a stop rule that has come to apply since it was asked for, then none of it begins', async () => {
    const letGo = holdPages();
    const { id } = await rollouts.start(510, { max_in_flight: 600, abort: [{ count: 1, action: 'pause' }] });
    const items = await planner.askedFor(id, 500);
    await planner.answer(id, items.slice(0, 1), 'FAILURE');
    await planner.progressed(id, { failed: 1 });
    letGo();
    await planner.progressed(id, { pending: 10, in_flight: 499 });
    await expect.poll(async () => (await planner.job(id)).status).toBe('Stopping');
    expect(planner.asked(id)).toHaveLength(500);
    await rollouts.exact(id);
  });

  it('given that its time is over since it was asked for, then none of it begins', async () => {
    const letGo = holdPages();
    const end_at = new Date(Date.now() + 5_000).toISOString();
    const { id } = await rollouts.start(510, { max_in_flight: 600, end_at });
    await planner.askedFor(id, 500);
    await vi.waitUntil(() => Date.parse(end_at) < Date.now());
    letGo();
    await planner.progressed(id, { timed_out: 10, in_flight: 500 });
    await rollouts.exact(id);
  });
});

describe('counts that no device bears out', () => {
  const lost = async (rollout: Rollout) => {
    const { id } = await rollouts.start(3, { max_in_flight: 1, ...rollout });
    await planner.askedFor(id, 1);
    await planner.service.query(`DELETE FROM job_task WHERE job_id = $1`, [id]);
    return id;
  };

  it('given a cancel, then it comes to rest all the same', async () => {
    const id = await lost({});
    await planner.act(id, 'cancel');
    expect((await planner.reached(id, 'Stopped')).progress).toMatchObject({ targeted: 0 });
  });

  it('given that its time is over, then what has not begun is waited for no longer', async () => {
    const id = await lost({ end_at: new Date(Date.now() + 1_000).toISOString() });
    await planner.progressed(id, { pending: 0, in_flight: 1 });
  });
});

describe('devices that nobody can tell any more', () => {
  it('given a group that goes while devices may still join by it, then what has begun is cancelled, and the job says why', async () => {
    const group = uuid();
    planner.groups.set(group, planner.nodes(3));
    const job_content = { target_type: 'node' as const, target_query: { group }, task_data: '{}' };
    const end_at = new Date(Date.now() + 3_600_000).toISOString();
    const id = await planner.create([], {
      job_content,
      rollout: { membership: 'continuous', end_at, max_in_flight: 1 },
    });
    const items = await planner.askedFor(id, 1);
    await planner.progressed(id, { pending: 2, in_flight: 1 });
    planner.groups.delete(group);
    await rollouts.rescanned(id);
    await vi.waitUntil(() => planner.cancelled(id).includes(items[0]!.command_id));
    expect((await planner.job(id)).status).toBe('Stopping');
    await planner.answer(id, items, 'CANCELLED');
    expect(await planner.reached(id, 'Stopped')).toMatchObject({
      reason: `its devices cannot be told: query.group: no group ${group}`,
      progress: { cancelled: 3 },
    });
    await expect(planner.act(id, 'restore')).rejects.toMatchObject({ kind: 'conflict' });
    await rollouts.exact(id);
  });

  it('given a wave of a group that is gone before the wave is planned, then the job ends and no device begins', async () => {
    const group = uuid();
    planner.groups.set(group, []);
    const page = planner.page.bind(planner);
    vi.spyOn(planner, 'page').mockImplementation((request) => {
      const found = page(request);
      // The create has looked.
      if (request.query?.and?.[1]?.group === group) planner.groups.delete(group);
      return found;
    });
    const { id } = await rollouts.start(3, { waves: [{ count: 1 }, { query: { group } }, {}] });
    expect((await planner.reached(id, 'Stopped')).reason).toBe(
      `its devices cannot be told: query.and.1.group: no group ${group}`,
    );
    expect(planner.asked(id)).toEqual([]);
    vi.restoreAllMocks();
  });
});

describe('a rollback', () => {
  const upgrade = (rollout: Rollout, nodes: string[]) =>
    planner.create(nodes, {
      job_name: 'firmware-2',
      job_type: 'node_upgrade',
      job_content: { target_type: 'node', targets: nodes, task_data: '{"version":"2.0.0"}' },
      rollout,
    });
  const rollbackOf = async (id: string) => {
    await vi.waitUntil(async () => (await planner.job(id)).rollback_job_id !== null);
    return (await planner.job(id)).rollback_job_id!;
  };

  it('given that no device was changed, then there is nothing to bring back, which is no failure', async () => {
    const nodes = planner.nodes(1);
    const id = await upgrade({ abort: [{ outcome: 'rejected', count: 1, action: 'rollback' }] }, nodes);
    await planner.answer(id, await planner.askedFor(id, 1), 'FAILURE', '', { code: 'rejected' });
    const rollback = await rollbackOf(id);
    expect((await planner.job(id)).reason).toBe('stop rule 1: 1 device refused');
    expect((await planner.reached(rollback, 'Successful')).reason).toBe('nothing was to be brought back');
  });

  it('given a rule that asks for it, then every device that was changed, or may have been, goes back to what it had', async () => {
    const nodes = planner.nodes(10);
    for (const [index, node] of nodes.entries()) planner.reported.set(node, `1.${index}.0`);
    const id = await upgrade({ max_in_flight: 4, abort: [{ count: 2, action: 'rollback' }], priority: 3 }, nodes);
    const items = await planner.askedFor(id, 4);
    await planner.answer(id, items.slice(0, 1));
    const [fifth] = (await planner.askedFor(id, 5)).slice(4);
    await planner.answer(id, items.slice(1, 2), 'FAILURE', '', { code: 'rejected' });
    await planner.answer(id, items.slice(2, 3), 'FAILURE');
    const rollback = await rollbackOf(id);
    expect(await planner.job(rollback)).toMatchObject({ status: 'Waiting', rollback_of: id, task_total_count: 0 });
    const under = planner
      .asked(id)
      .filter((item) => ![0, 1, 2].some((at) => items[at]!.command_id === item.command_id));
    await vi.waitUntil(
      () =>
        planner.cancels.filter((batch) => batch.head.request_id === id).flatMap((b) => b.items).length === under.length,
    );
    const [interrupted, unsent] = [under.slice(0, 1), under.slice(1)];
    await planner.answer(id, interrupted, 'CANCELLED');
    await planner.answer(id, unsent, 'CANCELLED', '', { sent: false });
    const stopped = await planner.reached(id, 'Stopped');
    expect(stopped.reason).toBe('stop rule 1: 2 devices did not succeed');
    expect(fifth).toBeDefined();

    const changed = [items[0]!, items[2]!, ...interrupted];
    const back = await planner.askedFor(rollback, changed.length);
    const head = planner.requests.find((batch) => batch.head.request_id === rollback)!.head;
    expect(head).toMatchObject({ command: 'node_upgrade', priority: 4, args: { rollback_of: id } });
    expect(Object.fromEntries(back.map((item) => [item.device_id, item.args]))).toEqual(
      Object.fromEntries(
        changed.map((item) => [item.device_id, { upgrade: { version: planner.reported.get(item.device_id) } }]),
      ),
    );
    await planner.answer(rollback, back);
    expect(await planner.reached(rollback, 'Successful')).toMatchObject({
      job_name: 'firmware-2-rb',
      task_success_count: 3,
    });
    await rollouts.exact(id);
    await rollouts.exact(rollback);
    await expect(planner.act(id, 'restore')).rejects.toThrow('was rolled back');
  });

  it('given a device that had taken half of it when it was tried again, then it goes back to what it had before the first try', async () => {
    const nodes = planner.nodes(1);
    planner.reported.set(nodes[0]!, '1.0.0');
    const retry = [{ outcome: 'failed' as const, code: 'busy', max: 1, backoff_seconds: 0 }];
    const id = await upgrade({ retry, abort: [{ count: 1, action: 'rollback' }] }, nodes);
    const items = await planner.askedFor(id, 1);
    planner.reported.set(nodes[0]!, '2.0.0-half');
    await planner.answer(id, items, 'FAILURE', 'device busy', { code: 'busy' });
    await rollouts.due(id);
    const [, again] = await planner.askedFor(id, 2);
    await planner.answer(id, [again!], 'FAILURE', 'broken');
    const back = await planner.askedFor(await rollbackOf(id), 1);
    expect(back.map((item) => item.args['upgrade'])).toEqual([{ version: '1.0.0' }]);
  });

  it('given devices whose first try was sent and whose second one not, or was refused, then they are brought back; those that refused each are not', async () => {
    const nodes = planner.nodes(4);
    const retry = [{ outcome: 'any' as const, code: 'busy', max: 1, backoff_seconds: 0 }];
    const refusals = [{ ...retry[0]!, code: 'rejected' }];
    const abort = [{ outcome: 'failed' as const, count: 1, action: 'rollback' as const }];
    const id = await upgrade({ retry: [...retry, ...refusals], abort }, nodes);
    const items = await planner.askedFor(id, 4);
    await planner.answer(id, items.slice(0, 2), 'FAILURE', '', { code: 'busy' });
    await planner.answer(id, items.slice(2, 3), 'FAILURE', '', { code: 'rejected' });
    await rollouts.due(id);
    const again = (await planner.askedFor(id, 7)).slice(4);
    const of = (item: Asked) => again.filter(({ device_id }) => device_id === item.device_id);
    await planner.answer(id, [...of(items[1]!), ...of(items[2]!)], 'FAILURE', '', { code: 'rejected' });
    await planner.answer(id, items.slice(3), 'FAILURE', 'broken');
    const rollback = await rollbackOf(id);
    await planner.answer(id, of(items[0]!), 'CANCELLED', '', { sent: false });
    await planner.reached(id, 'Stopped');
    await planner.answer(rollback, await planner.askedFor(rollback, 3));
    expect((await planner.reached(rollback, 'Successful')).tasks.map(({ target_id }) => target_id).sort()).toEqual(
      [0, 1, 3].map((at) => items[at]!.device_id).sort(),
    );
  });

  it('given that it is cancelled before and while it goes on, then both jobs come to rest', async () => {
    for (const during of [false, true]) {
      const nodes = planner.nodes(4);
      const id = await upgrade({ abort: [{ count: 1, action: 'rollback' }] }, nodes);
      const items = await planner.askedFor(id, 4);
      await planner.answer(id, items.slice(0, 1), 'FAILURE');
      const rollback = await rollbackOf(id);
      if (!during) await planner.act(rollback, 'cancel');
      expect((await planner.act(id, 'cancel')).status).toBe('Stopping');
      await planner.answer(id, items.slice(1), 'CANCELLED');
      await planner.reached(id, 'Stopped');
      if (during) {
        const back = await planner.askedFor(rollback, 4);
        await planner.act(rollback, 'cancel');
        await planner.answer(rollback, back, 'CANCELLED');
      }
      expect((await planner.reached(rollback, 'Stopped')).reason).toBe('cancelled');
      await rollouts.exact(rollback);
    }
  });

  it('given that it has yet to find what was changed, then what it brings back may not be deleted; after that neither names the other', async () => {
    const remove = (job_id: string) => planner.service.call(jobPlanner.deleteJob, { project_id: PROJECT, job_id });
    const id = await upgrade({ abort: [{ count: 1, action: 'rollback' }] }, planner.nodes(2));
    const items = await planner.askedFor(id, 2);
    await planner.answer(id, items.slice(0, 1), 'FAILURE');
    const rollback = await rollbackOf(id);
    await planner.act(rollback, 'pause');
    await planner.reached(rollback, 'Stopped');
    await planner.answer(id, items.slice(1));
    await planner.reached(id, 'Stopped');
    const message = `job ${rollback} has yet to find out what it is to bring back`;
    await expect(remove(id)).rejects.toMatchObject({ kind: 'conflict', message });
    await planner.act(rollback, 'restore');
    const back = await planner.askedFor(rollback, 2);
    await remove(id);
    expect(await planner.job(rollback)).toMatchObject({ status: 'Running', rollback_of: null });
    await planner.answer(rollback, back);
    await planner.reached(rollback, 'Successful');

    const other = await upgrade({ abort: [{ count: 1, action: 'rollback' }] }, planner.nodes(1));
    await planner.answer(other, await planner.askedFor(other, 1), 'FAILURE');
    const undone = await rollbackOf(other);
    await planner.answer(undone, await planner.askedFor(undone, 1));
    await planner.reached(undone, 'Successful');
    await remove(undone);
    expect(await planner.job(other)).toMatchObject({ status: 'Stopped', rollback_job_id: null });
  });

  it('given a deployment that was made, then it is removed', async () => {
    const { id } = await rollouts.start(2, { abort: [{ count: 1, action: 'rollback' }] });
    const items = await planner.askedFor(id, 2);
    await planner.answer(id, items.slice(0, 1));
    await planner.answer(id, items.slice(1), 'FAILURE');
    const rollback = await rollbackOf(id);
    const back = await planner.askedFor(rollback, 2);
    expect(planner.requests.find((batch) => batch.head.request_id === rollback)!.head.command).toBe(
      'deployment_remove',
    );
    expect(new Set(back.map((item) => item.args['deployment_id']))).toEqual(
      new Set(items.map((item) => item.args['deployment_id'])),
    );
  });
});
