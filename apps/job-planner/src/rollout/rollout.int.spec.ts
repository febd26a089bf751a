import { approvals, waitings, type Approval, type Rollout } from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PROJECT, RunningPlanner, USER } from '../testing/running-planner.js';

let planner: RunningPlanner;

beforeAll(async () => {
  planner = await RunningPlanner.start();
});
afterAll(() => planner.service.stop());

const APPROVER = '01890000-0000-7000-8000-000000000002';

const start = async (count: number, rollout: Rollout) => {
  const nodes = planner.nodes(count);
  return { nodes, id: await planner.create(nodes, { rollout }) };
};
const exact = async (id: string) => {
  expect((await planner.job(id)).progress).toMatchObject(await planner.recount(id));
};
const tasks = async (id: string) => (await planner.job(id)).tasks;
/** Lets the times come that the rollout waits for. */
const due = (id: string) => planner.service.query(`UPDATE rollout SET due_at = now() WHERE id = $1`, [id]);
const waiting = async (id: string) => {
  const { entries } = await planner.service.call(waitings['job-planner'], { project_id: PROJECT, limit: 1000 });
  const own = new Set((await tasks(id)).map((task) => task.task_id));
  return entries.filter((entry) => entry.id === id || own.has(entry.id));
};

describe('waves', () => {
  it('given waves with a threshold, then each begins when the one before has shown it, and the document says where it is', async () => {
    const { id } = await start(20, { waves: [{ percent: 5 }, { count: 4, success_threshold: 75 }, {}] });
    const first = await planner.askedFor(id, 1);
    expect(planner.asked(id)).toHaveLength(1);
    expect((await planner.job(id)).progress).toMatchObject({ wave: { number: 1, of: 3 }, pending: 19 });
    await planner.answer(id, first);
    const second = (await planner.askedFor(id, 5)).slice(1);
    expect(planner.asked(id)).toHaveLength(5);
    await planner.answer(id, second.slice(0, 1), 'FAILURE');
    await planner.answer(id, second.slice(1, 3));
    expect(planner.asked(id)).toHaveLength(5);
    await planner.answer(id, second.slice(3));
    const rest = (await planner.askedFor(id, 20)).slice(5);
    await planner.answer(id, rest);
    const job = await planner.reached(id, 'Partially_successful');
    expect(job.progress).toMatchObject({ succeeded: 19, failed: 1, waiting_for: null, eta: null });
    await exact(id);
  });

  it('given a wave whose threshold cannot be reached, then the job pauses with the reason; restored, it goes on', async () => {
    const { id } = await start(10, { waves: [{ count: 2, success_threshold: 100 }, {}] });
    const first = await planner.askedFor(id, 2);
    await planner.answer(id, first.slice(0, 1), 'FAILURE');
    await planner.answer(id, first.slice(1));
    const stopped = await planner.reached(id, 'Stopped');
    expect(stopped.reason).toBe('wave 1: at most 50 % of its devices can still succeed, 100 % are needed');
    expect(planner.asked(id)).toHaveLength(2);
    await planner.act(id, 'restore');
    await planner.answer(id, (await planner.askedFor(id, 10)).slice(2));
    await planner.reached(id, 'Partially_successful');
    await exact(id);
  });

  it('given a wave of a query, then its devices go first, and none of them twice', async () => {
    const nodes = planner.nodes(12);
    planner.tagged.set('canary', [nodes[7]!, nodes[3]!, uuid()]);
    const id = await planner.create(nodes, { rollout: { waves: [{ query: { tags: 'canary' } }, { count: 2 }, {}] } });
    const first = await planner.askedFor(id, 2);
    expect(first.map((item) => item.device_id).sort()).toEqual([nodes[3]!, nodes[7]!].sort());
    await planner.answer(id, first);
    await planner.answer(id, (await planner.askedFor(id, 4)).slice(2));
    const all = await planner.askedFor(id, 12);
    await planner.answer(id, all.slice(4));
    await planner.reached(id, 'Successful');
    expect(new Set(all.map((item) => item.device_id)).size).toBe(12);
  });

  it('given a soak, then the next wave waits for it and says so', async () => {
    const { id } = await start(4, { waves: [{ count: 1, soak_seconds: 3_600 }, {}] });
    await planner.answer(id, await planner.askedFor(id, 1));
    await expect.poll(async () => (await planner.job(id)).progress.waiting_for).toBe('soak');
    expect((await waiting(id)).map((entry) => entry.waits_for)).toEqual(Array(4).fill('soak'));
    await planner.service.query(
      `UPDATE rollout SET waves = jsonb_set(waves, '{0,passed_at}', to_jsonb(0)), due_at = now() WHERE id = $1`,
      [id],
    );
    await planner.answer(id, (await planner.askedFor(id, 4)).slice(1));
    await planner.reached(id, 'Successful');
  });

  it('given a restart between and within waves, then the job goes on where it was', async () => {
    const { id } = await start(30, { waves: [{ count: 3 }, { count: 9 }, {}], max_in_flight: 4 });
    await planner.answer(id, await planner.askedFor(id, 3));
    await planner.service.restart();
    for (let done = 3; done < 30;) {
      const items = (await planner.askedFor(id, done + 1)).slice(done);
      await planner.answer(id, items);
      done += items.length;
      if (done > 8 && done < 16) await planner.service.restart();
    }
    await planner.reached(id, 'Successful');
    expect(planner.asked(id)).toHaveLength(30);
    await exact(id);
  });
});

describe('an approval', () => {
  const asked = async (id: string): Promise<Approval> => {
    const find = async () => {
      const page = await planner.service.call(approvals.listApprovals, {
        project_id: PROJECT,
        state: 'pending',
        limit: 1000,
      });
      return page.approvals.find((one) => one.subject.id === id);
    };
    await vi.waitUntil(async () => (await find()) !== undefined);
    return (await find())!;
  };
  const decide = (id: string, decision: 'approve' | 'reject', { by = APPROVER, own_allowed = false } = {}) =>
    planner.service.call(approvals.decideApproval, {
      project_id: PROJECT,
      id,
      decision,
      comment: 'looked at it',
      by,
      own_allowed,
    });

  it('given a wave that needs one, then it waits, and begins once somebody else than who asked has approved', async () => {
    const { id } = await start(5, { waves: [{ count: 2 }, { approval: true }] });
    await planner.answer(id, await planner.askedFor(id, 2));
    const approval = await asked(id);
    expect(approval).toMatchObject({
      subject: { entity: 'job', id, name: 'aaa', wave: 2 },
      requested_by: USER,
      decided_by: null,
      decided_at: null,
    });
    expect((await planner.job(id)).progress.waiting_for).toBe('approval');
    expect(
      (await waiting(id))
        .filter((entry) => entry.entity === 'job-task')
        .map((entry) => [entry.waits_for, entry.due_at]),
    ).toEqual(Array(3).fill(['approval', null]));
    await expect(decide(approval.id, 'approve', { by: USER })).rejects.toMatchObject({ kind: 'forbidden' });
    expect(planner.asked(id)).toHaveLength(2);
    expect(await decide(approval.id, 'approve')).toMatchObject({
      state: 'approved',
      decided_by: APPROVER,
      comment: 'looked at it',
    });
    expect(await decide(approval.id, 'approve')).toMatchObject({ state: 'approved' });
    await expect(decide(approval.id, 'reject')).rejects.toMatchObject({ kind: 'conflict' });
    await planner.answer(id, (await planner.askedFor(id, 5)).slice(2));
    await planner.reached(id, 'Successful');
    await vi.waitUntil(() => planner.service.statesOf(approval.id).length === 2);
    expect(planner.service.statesOf(approval.id)).toEqual(['pending', 'approved']);
  });

  it('given that the first wave needs one and whoever asked may give it, then he does', async () => {
    const { id } = await start(2, { waves: [{ approval: true }] });
    const approval = await asked(id);
    expect(planner.asked(id)).toHaveLength(0);
    await decide(approval.id, 'approve', { by: USER, own_allowed: true });
    await planner.answer(id, await planner.askedFor(id, 2));
    await planner.reached(id, 'Successful');
  });

  it('given that it is rejected, then the job is cancelled with what was said', async () => {
    const { id } = await start(5, { waves: [{ count: 2 }, { approval: true }] });
    await planner.answer(id, await planner.askedFor(id, 2));
    await decide((await asked(id)).id, 'reject');
    const job = await planner.reached(id, 'Stopped');
    expect(job).toMatchObject({
      reason: 'wave 2 was not approved: looked at it',
      progress: { succeeded: 2, cancelled: 3 },
    });
    await exact(id);
  });

  it('given a job that is cancelled meanwhile, then nobody has to decide any more', async () => {
    const { id } = await start(3, { waves: [{ count: 1 }, { approval: true }] });
    await planner.answer(id, await planner.askedFor(id, 1));
    const approval = await asked(id);
    await planner.act(id, 'cancel');
    await planner.reached(id, 'Stopped');
    await expect(decide(approval.id, 'approve')).rejects.toThrow('is withdrawn already');
    expect(planner.asked(id)).toHaveLength(1);
  });
});

describe('a stop rule', () => {
  it('given one that pauses, then what is under way drains, nothing else begins, and a restore starts counting anew', async () => {
    const { id } = await start(20, { max_in_flight: 4, abort: [{ count: 2, action: 'pause' }] });
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
    await exact(id);
  });

  it('given one that cancels by the refusals alone, then other failures do not count, and the rest is cancelled', async () => {
    const { id } = await start(6, {
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
    await exact(id);
  });

  it('given devices that were never contacted, then they count for no rule', async () => {
    const { id } = await start(4, { abort: [{ percent: 1, action: 'pause' }] });
    const items = await planner.askedFor(id, 4);
    await planner.answer(id, items.slice(0, 2), 'TIMEOUT', 'never_contacted', { sent: false });
    await planner.answer(id, items.slice(2));
    expect((await planner.reached(id, 'Partially_successful')).progress).toMatchObject({ timed_out: 2, succeeded: 2 });
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
        changed.map((item) => [
          item.device_id,
          { rollback_of: item.command_id, upgrade: { version: planner.reported.get(item.device_id) } },
        ]),
      ),
    );
    await planner.answer(rollback, back);
    expect(await planner.reached(rollback, 'Successful')).toMatchObject({
      job_name: 'firmware-2-rb',
      task_success_count: 3,
    });
    await exact(id);
    await exact(rollback);
    await expect(planner.act(id, 'restore')).rejects.toThrow('was rolled back');
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
      await exact(rollback);
    }
  });

  it('given a deployment that was made, then it is removed', async () => {
    const { id } = await start(2, { abort: [{ count: 1, action: 'rollback' }] });
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

describe('a retry by a rule', () => {
  it('given a rule for a class of errors, then the device is tried again after a pause, in a command of its own, and counts once', async () => {
    const { id } = await start(2, {
      retry: [{ outcome: 'failed', code: 'busy', max: 2, backoff_seconds: 3_600 }],
      abort: [{ count: 1, action: 'pause' }],
    });
    const [first, other] = await planner.askedFor(id, 2);
    await planner.answer(id, [first!], 'FAILURE', 'device busy', { code: 'busy' });
    await planner.progressed(id, { pending: 1, in_flight: 1, failed: 0 });
    expect((await waiting(id)).map((entry) => entry.waits_for).sort()).toEqual(['in_flight', 'in_flight', 'retry_at']);
    await planner.answer(id, [other!]);
    await planner.service.query(`UPDATE job_task SET ask_at = now() WHERE job_id = $1 AND waits_for = 'retry_at'`, [
      id,
    ]);
    await due(id);
    const again = (await planner.askedFor(id, 3))[2]!;
    expect(again).toMatchObject({ device_id: first!.device_id, ref: first!.ref });
    expect(again.command_id).not.toBe(first!.command_id);
    await planner.answer(id, [again], 'FAILURE', 'broken', { code: 'broken' });
    expect(await planner.reached(id, 'Stopped')).toMatchObject({ progress: { failed: 1, succeeded: 1 } });
    await exact(id);
  });

  it('given a budget for the fleet, then no more than it are tried again', async () => {
    const { id } = await start(10, {
      retry: [{ outcome: 'any', max: 5, backoff_seconds: 0 }],
      retry_budget_percent: 20,
    });
    const items = await planner.askedFor(id, 10);
    await planner.answer(id, items, 'FAILURE');
    await due(id);
    const again = (await planner.askedFor(id, 12)).slice(10);
    await planner.answer(id, again, 'FAILURE');
    expect((await planner.reached(id, 'Failed')).progress.failed).toBe(10);
    expect(planner.asked(id)).toHaveLength(12);
    await exact(id);
  });
});

describe('offline devices', () => {
  it('given devices that are offline, then their slots are free, and they are next once they are back', async () => {
    const { id } = await start(6, { max_in_flight: 2 });
    const items = await planner.askedFor(id, 2);
    await planner.step(id, items, 'HELD');
    const next = (await planner.askedFor(id, 4)).slice(2);
    await planner.progressed(id, { offline: 2, in_flight: 2, pending: 2 });
    expect((await waiting(id)).filter((entry) => entry.waits_for === 'offline')).toHaveLength(2);
    await planner.step(id, items.slice(0, 1), 'REACHABLE');
    await planner.progressed(id, { offline: 1, pending: 3 });
    const batches = () =>
      planner.requests.filter((batch) => batch.head.request_id === id).flatMap((batch) => batch.items);
    expect(batches()).toHaveLength(4);
    await planner.answer(id, next.slice(0, 1));
    await vi.waitUntil(() => batches().length === 5);
    expect(batches()[4]).toEqual(items[0]);
    await planner.answer(id, items.slice(0, 1));
    await planner.answer(id, next.slice(1));
    await planner.answer(id, (await planner.askedFor(id, 6)).slice(4));
    await planner.progressed(id, { offline: 1, succeeded: 5, waiting_for: 'offline' });
    await planner.answer(id, items.slice(1), 'TIMEOUT', 'never_contacted', { sent: false });
    expect((await planner.reached(id, 'Partially_successful')).progress).toMatchObject({ timed_out: 1, succeeded: 5 });
    await exact(id);
  });

  it('given that the word of its return is lost, then its presence is asked for', async () => {
    const { id, nodes } = await start(1, {});
    const items = await planner.askedFor(id, 1);
    planner.offline.add(nodes[0]!);
    await planner.step(id, items, 'HELD');
    await planner.progressed(id, { offline: 1 });
    const look = async () => {
      await planner.service.query(`UPDATE job_task SET ask_at = now() WHERE job_id = $1`, [id]);
      await due(id);
    };
    await look();
    planner.offline.clear();
    await look();
    await planner.progressed(id, { in_flight: 1 });
    await planner.answer(id, items);
    await planner.reached(id, 'Successful');
  });

  it('given that they are to be skipped, then they are, and their commands are cancelled', async () => {
    const { id } = await start(3, { offline: 'skip' });
    const items = await planner.askedFor(id, 3);
    await planner.step(id, items.slice(0, 1), 'HELD');
    await planner.answer(id, items.slice(1));
    const job = await planner.reached(id, 'Partially_successful');
    expect(job.progress).toMatchObject({ succeeded: 2, cancelled: 1 });
    expect(job.tasks.find((task) => task.status === 'Stopped')!.reason).toBe('skipped: the device is offline');
    await vi.waitUntil(() => planner.cancels.some((batch) => batch.head.request_id === id));
    await exact(id);
  });

  it('given a cancel while they are offline, then they are not waited for', async () => {
    const { id } = await start(2, {});
    const items = await planner.askedFor(id, 2);
    await planner.step(id, items, 'HELD');
    await planner.progressed(id, { offline: 2 });
    await planner.act(id, 'cancel');
    expect((await planner.reached(id, 'Stopped')).progress).toMatchObject({ cancelled: 2, offline: 0 });
    await vi.waitUntil(
      () => planner.cancels.filter((batch) => batch.head.request_id === id).flatMap((b) => b.items).length === 2,
    );
    await exact(id);
  });
});

describe('evidence', () => {
  const evidence = { path: 'os.version', equals: '12.4' };

  it('given a success that shows it, then it counts; one that does not waits for the report, and is unknown when none comes', async () => {
    const { id, nodes } = await start(3, { evidence });
    const items = await planner.askedFor(id, 3);
    expect(planner.requests.find((batch) => batch.head.request_id === id)!.head.proof_path).toBe('os.version');
    await planner.answer(id, items.slice(0, 1), 'SUCCESS', '', { proof: '12.4' });
    await planner.answer(id, items.slice(1), 'SUCCESS', '', { proof: '12.3' });
    await planner.progressed(id, { succeeded: 1, in_flight: 2 });
    await expect.poll(async () => (await waiting(id)).filter((entry) => entry.waits_for === 'proof').length).toBe(2);
    planner.reported.set(items[1]!.device_id, '12.4');
    await planner.progressed(id, { succeeded: 2, in_flight: 1 });
    await planner.service.query(
      `UPDATE job_task SET state_at = state_at - interval '2 hours', ask_at = now() WHERE job_id = $1 AND state = 'Running'`,
      [id],
    );
    await due(id);
    const job = await planner.reached(id, 'Partially_successful');
    expect(job.progress).toMatchObject({ succeeded: 2, unknown: 1, timed_out: 0 });
    expect(job.tasks.find((task) => task.status === 'Timed_out')).toMatchObject({
      target_id: items[2]!.device_id,
      reason: 'no report showed os.version as asked for',
    });
    expect(nodes).toHaveLength(3);
    await exact(id);
  });

  it('given a cancel while the proof is awaited, then nobody knows', async () => {
    const { id } = await start(1, { evidence });
    const items = await planner.askedFor(id, 1);
    await planner.answer(id, items);
    await expect.poll(async () => (await waiting(id)).some((entry) => entry.waits_for === 'proof')).toBe(true);
    await planner.act(id, 'cancel');
    await vi.waitUntil(() => planner.cancels.some((batch) => batch.head.request_id === id));
    await planner.answer(id, items);
    expect((await planner.reached(id, 'Stopped')).progress).toMatchObject({ unknown: 1, succeeded: 0 });
  });
});

describe('windows and times', () => {
  const clock = (hours: number, zone = 'UTC') =>
    new Intl.DateTimeFormat('en-GB', { timeZone: zone, hour: '2-digit', minute: '2-digit' }).format(
      Date.now() + hours * 3_600_000,
    );

  it('given windows on the clocks of devices, then only those begin whose window is open', async () => {
    const nodes = planner.nodes(4);
    for (const node of nodes.slice(0, 2)) planner.zones.set(node, 'Asia/Tokyo');
    const id = await planner.create(nodes, { rollout: { window: { start: clock(-1), end: clock(1) } } });
    const items = await planner.askedFor(id, 2);
    expect(items.map((item) => item.device_id).sort()).toEqual(nodes.slice(2).sort());
    const closes = Date.parse(items[0]!.expires_at!);
    expect(closes - Date.now()).toBeLessThanOrEqual(3_600_000);
    await planner.answer(id, items);
    await expect.poll(async () => (await planner.job(id)).progress.waiting_for).toBe('window');
    expect(planner.asked(id)).toHaveLength(2);
    expect((await waiting(id)).map((entry) => entry.waits_for)).toEqual(Array(3).fill('window'));
  });

  it('given a command that was not sent before the window closed, then its device waits for the next one', async () => {
    const { id } = await start(1, { window: { start: clock(-1), end: clock(1), timezone: 'UTC' } });
    const items = await planner.askedFor(id, 1);
    await planner.answer(id, items, 'TIMEOUT', 'never_contacted', { sent: false });
    const again = (await planner.askedFor(id, 2))[1]!;
    expect(again.device_id).toBe(items[0]!.device_id);
    await planner.answer(id, [again]);
    await planner.reached(id, 'Successful');
    await exact(id);
  });

  it('given a start that is to come, then nothing begins before; given an end, nothing after', async () => {
    const at = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();
    const later = await start(2, { start_at: at(3_600) });
    await planner.progressed(later.id, { pending: 2, waiting_for: 'window' });
    expect(planner.asked(later.id)).toHaveLength(0);

    const { id } = await start(3, { max_in_flight: 1, end_at: at(2) });
    const items = await planner.askedFor(id, 1);
    await planner.progressed(id, { timed_out: 2, in_flight: 1 });
    await planner.answer(id, items);
    const job = await planner.reached(id, 'Partially_successful');
    expect(job.tasks.filter((task) => task.status === 'Timed_out').map((task) => task.reason)).toEqual(
      Array(2).fill('end_at has passed'),
    );
    await expect(planner.act(id, 'retry')).rejects.toThrow('end_at of the job has passed');
    await exact(id);
  });

  it('given a rate, then so many begin at once, and the rest one after the other', async () => {
    const { id } = await start(5, { rate_per_minute: 2 });
    await planner.askedFor(id, 1);
    await planner.progressed(id, { in_flight: 1, pending: 4, waiting_for: 'slot' });
    await planner.service.query(
      `UPDATE rollout SET paid_until = now() - interval '1 hour', due_at = now() WHERE id = $1`,
      [id],
    );
    await planner.progressed(id, { in_flight: 2, pending: 3 });
  });

  it('given continuous membership, then a device that starts to match joins, until the end', async () => {
    const nodes = planner.nodes(2);
    const tag = uuid();
    planner.tagged.set(tag, [...nodes]);
    const end_at = new Date(Date.now() + 3_600_000).toISOString();
    const id = await planner.create([], {
      job_content: { target_type: 'node', target_query: { tags: tag }, task_data: '{}' },
      rollout: { membership: 'continuous', end_at },
    });
    await planner.answer(id, await planner.askedFor(id, 2));
    await planner.progressed(id, { succeeded: 2 });
    expect((await planner.job(id)).status).toBe('Running');
    planner.tagged.get(tag)!.push(...planner.nodes(1));
    await planner.service.query(`UPDATE rollout SET rescan_at = now(), due_at = now() WHERE id = $1`, [id]);
    await planner.answer(id, (await planner.askedFor(id, 3)).slice(2));
    await planner.progressed(id, { succeeded: 3 });
    await planner.service.query(
      `UPDATE rollout SET spec = jsonb_set(spec, '{end_at}', to_jsonb(now())), due_at = now() WHERE id = $1`,
      [id],
    );
    expect((await planner.reached(id, 'Successful')).task_total_count).toBe(3);
    await exact(id);
  });
});

describe('targets', () => {
  it('given a group, then each of its devices has a task, and the document shows the group', async () => {
    const nodes = planner.nodes(3);
    const group = uuid();
    planner.groups.set(group, nodes);
    const id = await planner.create([], {
      job_content: { target_type: 'node_group', targets: [group], task_data: '{}' },
    });
    await planner.answer(id, await planner.askedFor(id, 3));
    const job = await planner.reached(id, 'Successful');
    expect(job.targets).toEqual([
      { target_id: group, extension_info: [{ key: 'node_group_name', value: `group-${group.slice(-4)}` }] },
    ]);
    expect(job.tasks.map((task) => task.target_id).sort()).toEqual(nodes.sort());
  });

  it('given deployments, then each is upgraded on its device by its own id', async () => {
    const [node] = planner.nodes(1);
    const made = Array.from({ length: 2 }, () => ({
      id: uuid(),
      name: 'site',
      version: '1',
      device_id: node!,
      device_name: 'node-a',
      timezone: 'UTC',
      args: { image: 'site:1' },
    }));
    planner.deployments.push(...made);
    const job = {
      job_type: 'deployment_upgrade' as const,
      job_content: {
        target_type: 'deployment' as const,
        targets: made.map(({ id }) => id),
        task_data: '{"image":"site:2"}',
      },
    };
    const id = await planner.create([], { ...job, rollout: { abort: [{ count: 1, action: 'rollback' }] } });
    const items = await planner.askedFor(id, 2);
    expect(items.map((item) => [item.device_id, item.args])).toEqual(
      made
        .map((one) => one.id)
        .sort()
        .map((deployment_id) => [node, { deployment_id }]),
    );
    await planner.answer(id, items.slice(0, 1));
    await planner.answer(id, items.slice(1), 'FAILURE');
    await vi.waitUntil(async () => (await planner.job(id)).rollback_job_id !== null);
    const shown = await planner.job(id);
    expect(shown.targets[0]!.extension_info).toEqual([
      { key: 'deployment_name', value: 'site' },
      { key: 'node_name', value: 'node-a' },
    ]);
    const back = await planner.askedFor(shown.rollback_job_id!, 2);
    expect(back[0]!.args).toMatchObject({
      deployment_id: items[0]!.args['deployment_id'],
      upgrade: { image: 'site:1', version: '1' },
      version: '1',
    });
  });

  it.each([
    ['node_upgrade', 'deployment', 'job_content.target_type: must be node for node_upgrade'],
    ['deployment_upgrade', 'node', 'job_content.target_type: must be deployment for deployment_upgrade'],
    ['deployment_deploy', 'deployment', 'job_content.target_type: must be node or node_group for deployment_deploy'],
  ] as const)('given a %s of a %s, then it is refused with the field', async (job_type, target_type, message) => {
    const job_content = { target_type, targets: [uuid()], task_data: '{}' };
    await expect(planner.create([], { job_type, job_content })).rejects.toThrow(message);
  });

  it('given a group or a deployment that is not there, then it is named', async () => {
    const id = uuid();
    const group = { target_type: 'node_group' as const, targets: [id], task_data: '{}' };
    await expect(planner.create([], { job_content: group })).rejects.toThrow(`no such node_group: ${id}`);
    const deployment = { target_type: 'deployment' as const, targets: [id], task_data: '{}' };
    await expect(planner.create([], { job_type: 'deployment_upgrade', job_content: deployment })).rejects.toThrow(
      `no such deployment: ${id}`,
    );
  });

  it('given a rollout that cannot be, then its field is named', async () => {
    await expect(start(1, { waves: [{ percent: 10 }] })).rejects.toThrow('rollout.waves.0.percent');
    await expect(start(1, { membership: 'continuous' })).rejects.toThrow('rollout.membership');
  });
});
