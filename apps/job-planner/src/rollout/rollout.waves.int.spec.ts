import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { APPROVER, approvalOf, decide } from '../testing/approvals-of-test.js';
import { RolloutsOfTest } from '../testing/rollouts-of-test.js';
import { USER, RunningPlanner } from '../testing/running-planner.js';
import { hoursFromNow } from '../testing/waiting-of-test.js';

let planner: RunningPlanner;
let rollouts: RolloutsOfTest;

beforeAll(async () => {
  planner = await RunningPlanner.start();
  rollouts = new RolloutsOfTest(planner);
});
afterAll(() => planner.service.stop());

describe('waves', () => {
  it('given waves with a threshold, then each begins when the one before has shown it, and the document says where it is', async () => {
    const { id } = await rollouts.start(20, { waves: [{ percent: 5 }, { count: 4, success_threshold: 75 }, {}] });
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
    await rollouts.exact(id);
  });

  it('given a wave whose query fits no device, then nobody is asked for its approval', async () => {
    const { id } = await rollouts.start(2, {
      waves: [{ query: { tags: 'nobody' }, approval: true, soak_seconds: 3_600 }, {}],
    });
    await planner.answer(id, await planner.askedFor(id, 2));
    await planner.reached(id, 'Successful');
    await rollouts.exact(id);
  });

  it('given a last wave that nobody was left for, then its approval is asked for once a device joins', async () => {
    const nodes = planner.nodes(2);
    planner.tagged.set('latecomers', nodes.slice(0, 1));
    const end_at = new Date(Date.now() + 3_600_000).toISOString();
    const id = await planner.create([], {
      job_content: { target_type: 'node', task_data: '{}', target_query: { tags: 'latecomers' } },
      rollout: { waves: [{ count: 1 }, { approval: true }], membership: 'continuous', end_at },
    });
    await planner.answer(id, await planner.askedFor(id, 1));
    await planner.progressed(id, { succeeded: 1, waiting_for: 'resolve' });
    planner.tagged.set('latecomers', nodes);
    await rollouts.rescanned(id);
    const approval = await approvalOf(planner, id);
    expect(approval.subject).toMatchObject({ wave: 2 });
    expect(planner.asked(id)).toHaveLength(1);
    await decide(planner, approval.id, 'approve');
    await planner.askedFor(id, 2);
    await planner.act(id, 'cancel');
  });

  it('given a wave whose threshold cannot be reached, then the job pauses with the reason; restored, it goes on after its soak', async () => {
    const waves = [{ count: 2, success_threshold: 100, soak_seconds: 3_600 }, {}];
    const { id } = await rollouts.start(10, { waves });
    const first = await planner.askedFor(id, 2);
    await planner.answer(id, first.slice(0, 1), 'FAILURE');
    await planner.answer(id, first.slice(1));
    const stopped = await planner.reached(id, 'Stopped');
    expect(stopped.reason).toBe('wave 1: at most 50 % of its devices can still succeed, 100 % are needed');
    expect(planner.asked(id)).toHaveLength(2);
    const restored = Date.now();
    await planner.act(id, 'restore');
    await planner.progressed(id, { waiting_for: 'soak' });
    expect(planner.asked(id)).toHaveLength(2);
    const due = (await rollouts.waiting(id)).map(({ due_at }) => Date.parse(due_at!));
    for (const time of due) expect(time - restored).toBeGreaterThan(3_590_000);
    expect(due).toHaveLength(9);
    await rollouts.soaked(id);
    await planner.answer(id, (await planner.askedFor(id, 10)).slice(2));
    await planner.reached(id, 'Partially_successful');
    await rollouts.exact(id);
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
    const { id } = await rollouts.start(4, { waves: [{ count: 1, soak_seconds: 3_600 }, {}] });
    await planner.answer(id, await planner.askedFor(id, 1));
    await expect.poll(async () => (await planner.job(id)).progress.waiting_for).toBe('soak');
    const waiting = await rollouts.waiting(id);
    expect(waiting.map((entry) => entry.waits_for)).toEqual(Array(4).fill('soak'));
    for (const { due_at } of waiting) expect(Date.parse(due_at!)).toBeGreaterThan(Date.now() + 3_500_000);
    await rollouts.soaked(id);
    await planner.answer(id, (await planner.askedFor(id, 4)).slice(1));
    await planner.reached(id, 'Successful');
  });

  it('given a wave of which the devices that its gate needs are offline, then they are what the job waits for', async () => {
    const { id } = await rollouts.start(5, { waves: [{ count: 2 }, {}], catch_up: false });
    const [away, there] = await planner.askedFor(id, 2);
    await planner.step(id, [away!], 'HELD');
    await planner.answer(id, [there!]);
    await planner.progressed(id, { offline: 1, succeeded: 1, pending: 3, waiting_for: 'offline' });
    const waiting = await rollouts.waiting(id);
    expect(waiting.find((entry) => entry.id === id)).toMatchObject({ waits_for: 'offline' });
    // Those behind have their turn when the time of all before them is over: a week and an hour.
    const behind = waiting.filter((entry) => entry.waits_for === 'slot').map(hoursFromNow);
    expect(behind).toEqual(Array(3).fill(7 * 24 + 1));
    await planner.act(id, 'cancel');
  });

  it('given a restart between and within waves, then the job goes on where it was', async () => {
    const { id } = await rollouts.start(30, { waves: [{ count: 3 }, { count: 9 }, {}], max_in_flight: 4 });
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
    await rollouts.exact(id);
  });

  it('given one wave with a threshold, whose devices begin while others are planned, then all of them count in it', async () => {
    const nodes = planner.nodes(600);
    const goOn = rollouts.keepFrom(nodes[599]!);
    const id = await planner.create(nodes, { rollout: { waves: [{ success_threshold: 99 }], max_in_flight: 550 } });
    const items = await planner.askedFor(id, 500);
    await planner.answer(id, items.slice(0, 4));
    await planner.answer(id, items.slice(4, 104), 'FAILURE');
    await planner.step(id, items.slice(104, 154), 'HELD');
    await planner.progressed(id, { succeeded: 4, failed: 100, offline: 50, targeted: 500 });
    await goOn(id);
    const all = await planner.askedFor(id, 600);
    await rollouts.exact(id);
    await planner.step(id, items.slice(104, 154), 'REACHABLE');
    await planner.reached(id, 'Stopping');
    await rollouts.exact(id);
    await planner.answer(id, all.slice(154));
    expect((await planner.reached(id, 'Stopped')).reason).toMatch(/^wave 1: at most .* 99 % are needed$/);
    await rollouts.exact(id);
  });

  it('given a device of a wave that another job takes over before all are planned, then the wave does not wait for it', async () => {
    const nodes = planner.nodes(600);
    const goOn = rollouts.keepFrom(nodes[599]!);
    const id = await planner.create(nodes, { rollout: { waves: [{ count: 2 }, {}] } });
    await planner.progressed(id, { pending: 500 });
    const over = await planner.create(nodes.slice(0, 1), { rollout: { supersedes: true } });
    await planner.askedFor(over, 1);
    await goOn(id);
    await planner.answer(id, await planner.askedFor(id, 1));
    await planner.answer(id, (await planner.askedFor(id, 599)).slice(1));
    await planner.reached(id, 'Partially_successful');
    await rollouts.exact(id);
  });
});

describe('an approval', () => {
  it('given a wave that needs one, then it waits, and begins once somebody else than who asked has approved', async () => {
    const { id } = await rollouts.start(5, { waves: [{ count: 2 }, { approval: true }] });
    await planner.answer(id, await planner.askedFor(id, 2));
    const approval = await approvalOf(planner, id);
    expect(approval).toMatchObject({
      subject: { entity: 'job', id, name: 'aaa', wave: 2 },
      requested_by: USER,
      decided_by: null,
      decided_at: null,
    });
    await planner.progressed(id, { waiting_for: 'approval' });
    expect(
      (await rollouts.waiting(id))
        .filter((entry) => entry.entity === 'job-task')
        .map((entry) => [entry.waits_for, entry.due_at]),
    ).toEqual(Array(3).fill(['approval', null]));
    await expect(decide(planner, approval.id, 'approve', { by: USER })).rejects.toMatchObject({ kind: 'forbidden' });
    expect(planner.asked(id)).toHaveLength(2);
    expect(await decide(planner, approval.id, 'approve')).toMatchObject({
      state: 'approved',
      decided_by: APPROVER,
      comment: 'looked at it',
    });
    expect(await decide(planner, approval.id, 'approve')).toMatchObject({ state: 'approved' });
    await expect(decide(planner, approval.id, 'reject')).rejects.toMatchObject({ kind: 'conflict' });
    await planner.answer(id, (await planner.askedFor(id, 5)).slice(2));
    await planner.reached(id, 'Successful');
    await vi.waitUntil(() => planner.service.statesOf(approval.id).length === 2);
    expect(planner.service.statesOf(approval.id)).toEqual(['pending', 'approved']);
  });

  it('given a wave that passed early, then its other devices begin while the next wave is asked for', async () => {
    const waves = [{ count: 4, success_threshold: 25 }, { approval: true }];
    const { id } = await rollouts.start(6, { waves, max_in_flight: 2 });
    await planner.answer(id, (await planner.askedFor(id, 2)).slice(0, 1));
    await approvalOf(planner, id);
    await planner.answer(id, (await planner.askedFor(id, 3)).slice(1));
    await planner.answer(id, (await planner.askedFor(id, 4)).slice(3));
    await planner.progressed(id, { succeeded: 4, pending: 2, waiting_for: 'approval' });
    expect(planner.asked(id)).toHaveLength(4);
  });

  it('given an end of the job, then that is until when an approval is waited for', async () => {
    const end_at = new Date(Date.now() + 5 * 3_600_000).toISOString();
    const { id } = await rollouts.start(2, { waves: [{ approval: true }], end_at });
    await planner.progressed(id, { waiting_for: 'approval' });
    const waiting = await rollouts.waiting(id);
    expect(waiting.map((entry) => [entry.waits_for, hoursFromNow(entry)])).toEqual(Array(3).fill(['approval', 5]));
    await planner.act(id, 'cancel');
  });

  it('given that the first wave needs one and whoever asked may give it, then he does', async () => {
    const { id } = await rollouts.start(2, { waves: [{ approval: true }] });
    const approval = await approvalOf(planner, id);
    expect(planner.asked(id)).toHaveLength(0);
    await decide(planner, approval.id, 'approve', { by: USER, own_allowed: true });
    await planner.answer(id, await planner.askedFor(id, 2));
    await planner.reached(id, 'Successful');
  });

  it('given devices that another job took over before it was decided, then no retry begins them without it', async () => {
    const nodes = planner.nodes(3);
    const id = await planner.create(nodes, { rollout: { waves: [{ count: 1 }, { approval: true }] } });
    const [first] = await planner.askedFor(id, 1);
    await planner.answer(id, [first!]);
    await planner.progressed(id, { waiting_for: 'approval' });
    const others = nodes.filter((node) => node !== first!.device_id);
    const over = await planner.create(others, { rollout: { supersedes: true } });
    await planner.answer(over, await planner.askedFor(over, 2));
    await planner.reached(id, 'Partially_successful');
    await expect(planner.act(id, 'retry')).rejects.toThrow('wave 2 has never been approved');
    await planner.reached(id, 'Partially_successful');
  });

  it('given that it is rejected, then the job is cancelled with what was said', async () => {
    const { id } = await rollouts.start(5, { waves: [{ count: 2 }, { approval: true }] });
    await planner.answer(id, await planner.askedFor(id, 2));
    await decide(planner, (await approvalOf(planner, id)).id, 'reject');
    const job = await planner.reached(id, 'Stopped');
    expect(job).toMatchObject({
      reason: 'wave 2 was not approved: looked at it',
      progress: { succeeded: 2, cancelled: 3 },
    });
    await rollouts.exact(id);
  });

  it('given a job that is cancelled meanwhile, then nobody has to decide any more', async () => {
    const { id } = await rollouts.start(3, { waves: [{ count: 1 }, { approval: true }] });
    await planner.answer(id, await planner.askedFor(id, 1));
    const approval = await approvalOf(planner, id);
    await planner.act(id, 'cancel');
    await planner.reached(id, 'Stopped');
    await expect(decide(planner, approval.id, 'approve')).rejects.toThrow('is withdrawn already');
    expect(planner.asked(id)).toHaveLength(1);
  });

  it('given that the time of its job is over before somebody has decided, then it is withdrawn', async () => {
    const end_at = new Date(Date.now() + 3_600_000).toISOString();
    const { id } = await rollouts.start(3, { waves: [{ count: 1 }, { approval: true }], end_at });
    await planner.answer(id, await planner.askedFor(id, 1));
    const approval = await approvalOf(planner, id);
    await rollouts.over(id);
    const job = await planner.reached(id, 'Partially_successful');
    expect(job.progress).toMatchObject({ succeeded: 1, timed_out: 2 });
    await vi.waitUntil(() => planner.service.statesOf(approval.id).length === 2);
    expect(planner.service.statesOf(approval.id)).toEqual(['pending', 'withdrawn']);
    await expect(decide(planner, approval.id, 'approve')).rejects.toThrow('is withdrawn already');
    expect(planner.asked(id)).toHaveLength(1);
  });
});
