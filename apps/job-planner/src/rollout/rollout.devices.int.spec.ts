import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { RolloutsOfTest } from '../testing/rollouts-of-test.js';
import { PROJECT, RunningPlanner, type Asked } from '../testing/running-planner.js';
import { RolloutWork } from './rollout.work.js';

let planner: RunningPlanner;
let rollouts: RolloutsOfTest;

beforeAll(async () => {
  planner = await RunningPlanner.start();
  rollouts = new RolloutsOfTest(planner);
});
afterAll(() => planner.service.stop());

describe('a retry by a rule', () => {
  it('given a rule for a class of errors, then the device is tried again after a pause, in a command of its own, and counts once', async () => {
    const { id } = await rollouts.start(2, {
      retry: [{ outcome: 'failed', code: 'busy', max: 2, backoff_seconds: 3_600 }],
      abort: [{ count: 1, action: 'pause' }],
    });
    const [first, other] = await planner.askedFor(id, 2);
    await planner.answer(id, [first!], 'FAILURE', 'device busy', { code: 'busy' });
    await planner.progressed(id, { pending: 1, in_flight: 1, failed: 0 });
    expect((await rollouts.waiting(id)).map((entry) => entry.waits_for).sort()).toEqual([
      'in_flight',
      'in_flight',
      'retry_at',
    ]);
    await planner.answer(id, [other!]);
    await planner.service.query(`UPDATE job_task SET ask_at = now() WHERE job_id = $1 AND waits_for = 'retry_at'`, [
      id,
    ]);
    await rollouts.due(id);
    const again = (await planner.askedFor(id, 3))[2]!;
    expect(again).toMatchObject({ device_id: first!.device_id, ref: first!.ref });
    expect(again.command_id).not.toBe(first!.command_id);
    await planner.answer(id, [again], 'FAILURE', 'broken', { code: 'broken' });
    expect(await planner.reached(id, 'Stopped')).toMatchObject({ progress: { failed: 1, succeeded: 1 } });
    await rollouts.exact(id);
  });

  it('given a device that failed and is out of reach for its next try, then it was contacted, and a stop rule sees it', async () => {
    const { id } = await rollouts.start(2, {
      retry: [{ outcome: 'failed', max: 1, backoff_seconds: 0 }],
      abort: [{ count: 1, action: 'cancel' }],
    });
    const items = await planner.askedFor(id, 2);
    await planner.answer(id, items.slice(0, 1), 'FAILURE');
    await rollouts.due(id);
    const again = (await planner.askedFor(id, 3)).slice(2);
    await planner.step(id, again, 'HELD');
    await planner.progressed(id, { offline: 1 });
    await planner.answer(id, again, 'TIMEOUT', 'never_contacted', { sent: false });
    await planner.progressed(id, { timed_out: 1 });
    await planner.answer(id, items.slice(1));
    expect((await planner.reached(id, 'Stopped')).reason).toBe('stop rule 1: 1 device did not succeed');
    await rollouts.exact(id);
  });

  it('given a device whose pause is over, then it goes before those that have not had their turn', async () => {
    const { id } = await rollouts.start(3, {
      max_in_flight: 1,
      retry: [{ outcome: 'failed', max: 1, backoff_seconds: 3_600 }],
    });
    const [first] = (await planner.askedFor(id, 1)) as [Asked];
    await planner.answer(id, [first], 'FAILURE');
    const [, second] = (await planner.askedFor(id, 2)) as [Asked, Asked];
    await planner.service.query(`UPDATE job_task SET ask_at = now() WHERE job_id = $1 AND waits_for = 'retry_at'`, [
      id,
    ]);
    await planner.answer(id, [second]);
    const [, , again] = (await planner.askedFor(id, 3)) as [Asked, Asked, Asked];
    expect(again.device_id).toBe(first.device_id);
    await planner.answer(id, [again]);
    const last = (await planner.askedFor(id, 4)).slice(3);
    expect(new Set([first, second, ...last].map(({ device_id }) => device_id)).size).toBe(3);
    await planner.answer(id, last);
    await planner.reached(id, 'Successful');
  });

  it('given a budget for the fleet, then no more than it are tried again', async () => {
    const { id } = await rollouts.start(10, {
      retry: [{ outcome: 'any', max: 5, backoff_seconds: 0 }],
      retry_budget_percent: 20,
    });
    const items = await planner.askedFor(id, 10);
    await planner.answer(id, items, 'FAILURE');
    await rollouts.due(id);
    const again = (await planner.askedFor(id, 12)).slice(10);
    await planner.answer(id, again, 'FAILURE');
    expect((await planner.reached(id, 'Failed')).progress.failed).toBe(10);
    expect(planner.asked(id)).toHaveLength(12);
    await rollouts.exact(id);
  });
});

describe('the retry of a job by a user', () => {
  /** Answers the last of so many commands once it was asked for. */
  const answerLast = async (id: string, count: number, status: 'SUCCESS' | 'FAILURE', code = '') => {
    await rollouts.due(id);
    await planner.answer(id, (await planner.askedFor(id, count)).slice(-1), status, '', { code });
  };

  it('given a device that has no try left, then it begins with none counted', async () => {
    const { id } = await rollouts.start(1, { retry: [{ outcome: 'failed', max: 1, backoff_seconds: 0 }] });
    for (const count of [1, 2]) await answerLast(id, count, 'FAILURE');
    await planner.reached(id, 'Failed');
    await planner.act(id, 'retry');
    for (const count of [3, 4]) await answerLast(id, count, 'FAILURE');
    await planner.reached(id, 'Failed');
    expect(planner.asked(id)).toHaveLength(4);
    await rollouts.exact(id);
  });

  it('given a stop rule, then it judges by what has ended since, and by nothing before', async () => {
    const abort = [{ outcome: 'failed' as const, percent: 60, min_finished: 2, action: 'pause' as const }];
    const { id } = await rollouts.start(8, { max_in_flight: 1, abort });
    for (const count of [1, 2, 3, 4, 5]) await answerLast(id, count, 'SUCCESS');
    for (const count of [6, 7, 8]) await answerLast(id, count, 'FAILURE');
    await planner.reached(id, 'Partially_successful');
    await planner.act(id, 'retry');
    for (const count of [9, 10]) await answerLast(id, count, 'FAILURE');
    expect(await planner.reached(id, 'Stopped')).toMatchObject({
      reason: expect.stringMatching(/^stop rule 1: 60 % of the finished devices/) as unknown,
      progress: { succeeded: 5, failed: 2, pending: 1 },
    });
    expect(planner.asked(id)).toHaveLength(10);
    await rollouts.exact(id);
  });

  it('given a budget for the fleet, then it uses up none of it, and gives back none', async () => {
    // Of ten devices two may be tried again, and one was.
    const { id } = await rollouts.start(10, {
      retry: [{ outcome: 'failed', code: 'busy', max: 5, backoff_seconds: 0 }],
      retry_budget_percent: 20,
    });
    const items = await planner.askedFor(id, 10);
    await planner.answer(id, items.slice(1), 'FAILURE', '', { code: 'broken' });
    await planner.answer(id, items.slice(0, 1), 'FAILURE', '', { code: 'busy' });
    await answerLast(id, 11, 'FAILURE', 'broken');
    await planner.reached(id, 'Failed');
    await planner.act(id, 'retry');
    await planner.answer(id, (await planner.askedFor(id, 21)).slice(11), 'FAILURE', '', { code: 'busy' });
    await answerLast(id, 22, 'FAILURE', 'busy');
    expect((await planner.reached(id, 'Failed')).progress.failed).toBe(10);
    expect(planner.asked(id)).toHaveLength(22);
    await rollouts.exact(id);
  });
});

describe('offline devices', () => {
  it('given devices that are offline, then their slots are free, and they are next once they are back', async () => {
    const { id } = await rollouts.start(6, { max_in_flight: 2 });
    const items = await planner.askedFor(id, 2);
    await planner.step(id, items, 'HELD');
    const next = (await planner.askedFor(id, 4)).slice(2);
    await planner.progressed(id, { offline: 2, in_flight: 2, pending: 2 });
    expect((await rollouts.waiting(id)).filter((entry) => entry.waits_for === 'offline')).toHaveLength(2);
    await planner.step(id, items.slice(0, 1), 'REACHABLE');
    await planner.progressed(id, { offline: 1, pending: 3 });
    const batches = () =>
      planner.requests.filter((batch) => batch.head.request_id === id).flatMap((batch) => batch.items);
    expect(batches()).toHaveLength(4);
    await planner.answer(id, next.slice(0, 1));
    await vi.waitUntil(() => batches().length === 5);
    expect([items[0]!.turn, batches()[4]]).toEqual([1, { ...items[0], turn: 2 }]);
    await planner.answer(id, items.slice(0, 1));
    await planner.answer(id, next.slice(1));
    await planner.answer(id, (await planner.askedFor(id, 6)).slice(4));
    await planner.progressed(id, { offline: 1, succeeded: 5, waiting_for: 'offline' });
    await planner.answer(id, items.slice(1), 'TIMEOUT', 'never_contacted', { sent: false });
    expect((await planner.reached(id, 'Partially_successful')).progress).toMatchObject({ timed_out: 1, succeeded: 5 });
    await rollouts.exact(id);
  });

  it('given a device that is found offline long after the others began, then the estimate reaches to the end of its time', async () => {
    const { id } = await rollouts.start(2, { max_in_flight: 1, timeout: { offline_seconds: 3_600 } });
    await planner.answer(id, await planner.askedFor(id, 1));
    await planner.service.query(`UPDATE rollout SET began_at = began_at - interval '1 day' WHERE id = $1`, [id]);
    const [, away] = (await planner.askedFor(id, 2)) as [Asked, Asked];
    const from = Date.now();
    await planner.step(id, [away], 'HELD');
    const { progress } = await planner.progressed(id, { offline: 1, in_flight: 0 });
    expect(Date.parse(progress.eta!.latest) - from).toBeGreaterThan(3_590_000);
    expect(Date.parse(progress.eta!.latest) - Date.now()).toBeLessThanOrEqual(3_610_000);
    await planner.act(id, 'cancel');
  });

  it('given that a command goes on for a device that was offline, then what was said of the first time takes nothing back', async () => {
    const { id } = await rollouts.start(2, {});
    const [first, other] = (await planner.askedFor(id, 2)) as [Asked, Asked];
    await planner.step(id, [first], 'HELD');
    await planner.progressed(id, { offline: 1, in_flight: 1 });
    await planner.step(id, [first], 'REACHABLE');
    await vi.waitUntil(() => planner.asks(id).length === 3);
    await planner.step(id, [first, other], 'HELD');
    await planner.progressed(id, { offline: 1, in_flight: 1 });
    const again = planner.asks(id)[2]!;
    expect(again).toEqual({ ...first, turn: 2 });
    await planner.step(id, [again], 'HELD');
    await planner.progressed(id, { offline: 2, in_flight: 0 });
    await planner.step(id, [first, other], 'REACHABLE');
    await planner.progressed(id, { offline: 1, in_flight: 1 });
    await rollouts.exact(id);
  });

  it('given that the word of its return is lost, then its presence is asked for', async () => {
    const { id, nodes } = await rollouts.start(1, {});
    const items = await planner.askedFor(id, 1);
    planner.offline.add(nodes[0]!);
    await planner.step(id, items, 'HELD');
    await planner.progressed(id, { offline: 1 });
    const look = async () => {
      await planner.service.query(`UPDATE job_task SET ask_at = now() WHERE job_id = $1`, [id]);
      await rollouts.due(id);
    };
    await look();
    planner.offline.clear();
    await look();
    await planner.progressed(id, { in_flight: 1 });
    await planner.answer(id, items);
    await planner.reached(id, 'Successful');
  });

  it('given that the end of a held command is lost and its device stays away, then the command is asked for under the same turn', async () => {
    const { id, nodes } = await rollouts.start(1, {});
    const items = await planner.askedFor(id, 1);
    planner.offline.add(nodes[0]!);
    await planner.step(id, items, 'HELD');
    await planner.progressed(id, { offline: 1 });
    await planner.service.query(`UPDATE job_task SET ask_at = now() WHERE job_id = $1`, [id]);
    await rollouts.due(id);
    await vi.waitUntil(() => planner.asks(id).length === 2);
    expect(planner.asks(id)[1]).toEqual(items[0]);
    await planner.answer(id, items, 'TIMEOUT', 'never_contacted', { sent: false });
    await planner.reached(id, 'Timed_out');
    await rollouts.exact(id);
  });

  it('given that they are to be skipped, then they are, and their commands are cancelled', async () => {
    const { id } = await rollouts.start(3, { offline: 'skip' });
    const items = await planner.askedFor(id, 3);
    await planner.step(id, items.slice(0, 1), 'HELD');
    await planner.answer(id, items.slice(1));
    const job = await planner.reached(id, 'Partially_successful');
    expect(job.progress).toMatchObject({ succeeded: 2, cancelled: 1 });
    expect(job.tasks.find((task) => task.status === 'Stopped')!.reason).toBe('skipped: the device is offline');
    await vi.waitUntil(() => planner.cancels.some((batch) => batch.head.request_id === id));
    await rollouts.exact(id);
  });

  it('given a cancel while they are offline, then they are not waited for', async () => {
    const { id } = await rollouts.start(2, {});
    const items = await planner.askedFor(id, 2);
    await planner.step(id, items, 'HELD');
    await planner.progressed(id, { offline: 2 });
    await planner.act(id, 'cancel');
    expect((await planner.reached(id, 'Stopped')).progress).toMatchObject({ cancelled: 2, offline: 0 });
    await vi.waitUntil(
      () => planner.cancels.filter((batch) => batch.head.request_id === id).flatMap((b) => b.items).length === 2,
    );
    await rollouts.exact(id);
  });
});

describe('evidence', () => {
  const evidence = { path: 'os.version', equals: '12.4' };

  it('given a success that shows it, then it counts; one that does not waits for the report, and is unknown when none comes', async () => {
    const { id, nodes } = await rollouts.start(3, { evidence });
    const items = await planner.askedFor(id, 3);
    expect(planner.requests.find((batch) => batch.head.request_id === id)!.head.proof_path).toBe('os.version');
    await planner.answer(id, items.slice(0, 1), 'SUCCESS', '', { proof: '12.4' });
    await planner.answer(id, items.slice(1), 'SUCCESS', '', { proof: '12.3' });
    await planner.progressed(id, { succeeded: 1, in_flight: 2 });
    await expect
      .poll(async () => (await rollouts.waiting(id)).filter((entry) => entry.waits_for === 'proof').length)
      .toBe(2);
    planner.reported.set(items[1]!.device_id, '12.4');
    await planner.progressed(id, { succeeded: 2, in_flight: 1 });
    await planner.service.query(
      `UPDATE job_task SET proof_by = now(), ask_at = now() WHERE job_id = $1 AND state = 'Running'`,
      [id],
    );
    await rollouts.due(id);
    const job = await planner.reached(id, 'Partially_successful');
    expect(job.progress).toMatchObject({ succeeded: 2, unknown: 1, timed_out: 0 });
    expect(job.tasks.find((task) => task.status === 'Timed_out')).toMatchObject({
      target_id: items[2]!.device_id,
      reason: 'no report showed os.version as asked for',
    });
    expect(nodes).toHaveLength(3);
    await rollouts.exact(id);
  });

  it('given a cancel while the proof is awaited, then nobody knows', async () => {
    const { id } = await rollouts.start(1, { evidence });
    const items = await planner.askedFor(id, 1);
    await planner.answer(id, items);
    await expect.poll(async () => (await rollouts.waiting(id)).some((entry) => entry.waits_for === 'proof')).toBe(true);
    await planner.act(id, 'cancel');
    await vi.waitUntil(() => planner.cancels.some((batch) => batch.head.request_id === id));
    await planner.answer(id, items);
    expect((await planner.reached(id, 'Stopped')).progress).toMatchObject({ unknown: 1, succeeded: 0 });
  });

  it('given a command that waited for long in the queue of its device, then the time to show its success begins with that', async () => {
    const { id, nodes } = await rollouts.start(1, { evidence });
    const items = await planner.askedFor(id, 1);
    await planner.service.query(`UPDATE job_task SET state_at = state_at - interval '2 hours' WHERE job_id = $1`, [id]);
    await planner.answer(id, items);
    const proofs = async () => (await rollouts.waiting(id)).filter((entry) => entry.waits_for === 'proof');
    await expect.poll(async () => (await proofs()).map((entry) => entry.entity)).toEqual(['job-task']);
    expect(Date.parse((await proofs())[0]!.due_at!)).toBeGreaterThan(Date.now() + 3_000_000);
    planner.reported.set(nodes[0]!, '12.4');
    await planner.reached(id, 'Successful');
  });

  it('given a success that is told once more after the end, then nobody looks at the job any more', async () => {
    const { id, nodes } = await rollouts.start(1, { evidence });
    planner.reported.set(nodes[0]!, '12.4');
    const [item] = await planner.askedFor(id, 1);
    await planner.answer(id, [item!]);
    await planner.reached(id, 'Successful');
    const success = { status: 'SUCCESS' as const, reason: '', code: '', sent: true };
    await planner.service.get(RolloutWork).onOutcome({
      project_id: PROJECT,
      head: { request_id: id },
      items: [{ command_id: item!.command_id, ref: item!.ref, ...success }],
    });
    expect(await planner.service.query(`SELECT due_at FROM rollout WHERE id = $1`, [id])).toEqual([{ due_at: null }]);
  });
});
