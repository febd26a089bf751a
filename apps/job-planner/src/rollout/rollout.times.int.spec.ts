import { DomainError } from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { approvalOf, decide } from '../testing/approvals-of-test.js';
import { RolloutsOfTest } from '../testing/rollouts-of-test.js';
import { RunningPlanner } from '../testing/running-planner.js';
import { hoursFromNow, told } from '../testing/waiting-of-test.js';

let planner: RunningPlanner;
let rollouts: RolloutsOfTest;

beforeAll(async () => {
  planner = await RunningPlanner.start();
  rollouts = new RolloutsOfTest(planner);
});
afterAll(() => planner.service.stop());

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
    expect((await rollouts.waiting(id)).map((entry) => entry.waits_for)).toEqual(Array(3).fill('window'));
  });

  it('given a command that was not sent before the window closed, then its device waits for the next one', async () => {
    const { id } = await rollouts.start(1, { window: { start: clock(-1), end: clock(1), timezone: 'UTC' } });
    const items = await planner.askedFor(id, 1);
    await planner.answer(id, items, 'TIMEOUT', 'never_contacted', { sent: false });
    const again = (await planner.askedFor(id, 2))[1]!;
    expect(again.device_id).toBe(items[0]!.device_id);
    await planner.answer(id, [again]);
    await planner.reached(id, 'Successful');
    await rollouts.exact(id);
  });

  it('given an open window in which all that is left rests between two tries, then that is what it waits for', async () => {
    const retry = [{ outcome: 'failed' as const, max: 1, backoff_seconds: 600 }];
    const { id } = await rollouts.start(2, { retry, window: { start: clock(-1), end: clock(1), timezone: 'UTC' } });
    const [first, second] = await planner.askedFor(id, 2);
    await planner.answer(id, [first!], 'FAILURE', 'busy');
    await planner.progressed(id, { pending: 1, waiting_for: 'in_flight' });
    await planner.answer(id, [second!]);
    await planner.progressed(id, { pending: 1, succeeded: 1, waiting_for: 'retry_at' });
    expect(new Set(told(await rollouts.waiting(id)))).toEqual(
      new Set(['job Running retry_at', 'job-task Waiting retry_at']),
    );
    const news = () => planner.service.events.findLast(({ subject }) => subject.endsWith(`job.progress.${id}`))?.data;
    await expect.poll(news).toMatchObject({ succeeded: 1, waiting_for: 'retry_at' });
  });

  it('given a retry that falls due after its window has closed, then it waits for the next one, until that opens', async () => {
    const retry = [{ outcome: 'failed' as const, max: 1, backoff_seconds: 0 }];
    const { id } = await rollouts.start(1, { retry, window: { start: clock(-1), end: clock(1), timezone: 'UTC' } });
    const items = await planner.askedFor(id, 1);
    await planner.service.query(
      `UPDATE rollout SET spec = jsonb_set(spec, '{window,start}', to_jsonb($2::text)) WHERE id = $1`,
      [id, clock(0.5)],
    );
    await planner.answer(id, items, 'FAILURE', 'busy');
    await planner.progressed(id, { pending: 1, waiting_for: 'window' });
    const waiting = await rollouts.waiting(id);
    expect(told(waiting).toSorted()).toEqual(['job Running window', 'job-task Waiting window']);
    for (const { due_at } of waiting) expect(Date.parse(due_at!)).toBeGreaterThan(Date.now() + 1_500_000);
    expect(new Set(waiting.map(({ due_at }) => due_at)).size).toBe(1);
  });

  it('given windows on the clocks of devices, then each waits for its own, and the job says when any may begin', async () => {
    const nodes = planner.nodes(5);
    for (const node of nodes.slice(3)) planner.zones.set(node, 'Asia/Tokyo');
    const id = await planner.create(nodes, {
      rollout: { max_in_flight: 1, window: { start: clock(-1), end: clock(1) } },
    });
    await planner.askedFor(id, 1);
    await planner.progressed(id, { in_flight: 1, pending: 4, waiting_for: 'in_flight' });
    const inHours = async () => {
      const waiting = await rollouts.waiting(id);
      return told(waiting).map((text, at) => `${text} ${hoursFromNow(waiting[at]!)}`);
    };
    // In an hour it closes in London; in Tokyo, where it is nine hours later, the one of the next day is to come.
    expect(await inHours()).toEqual([
      ...Array<string>(2).fill('job-task Waiting slot 1'),
      'job Running in_flight 14',
      ...Array<string>(2).fill('job-task Waiting window 14'),
      'job-task Running in_flight 169',
    ]);
    for (let asked = 1; asked <= 3; asked++)
      await planner.answer(id, (await planner.askedFor(id, asked)).slice(asked - 1));
    await planner.progressed(id, { succeeded: 3, waiting_for: 'window' });
    expect((await inHours()).toSorted()).toEqual([
      'job Running window 14',
      ...Array<string>(2).fill('job-task Waiting window 14'),
    ]);
    // One of them was tried before, and its next try is due by now.
    await planner.service.query(
      `UPDATE job_task SET waits_for = 'retry_at', ask_at = now() WHERE id = (SELECT id FROM job_task WHERE job_id = $1 AND state = 'Waiting' LIMIT 1)`,
      [id],
    );
    await rollouts.due(id);
    await expect
      .poll(async () => (await inHours()).toSorted())
      .toEqual(['job Running window 14', ...Array<string>(2).fill('job-task Waiting window 14')]);
  });

  it('given a start that is to come, then nothing begins before; given an end, nothing after', async () => {
    const at = (seconds: number) => new Date(Date.now() + seconds * 1000).toISOString();
    const later = await rollouts.start(2, { start_at: at(3_600) });
    await planner.progressed(later.id, { pending: 2, waiting_for: 'window' });
    expect(planner.asked(later.id)).toHaveLength(0);

    const { id } = await rollouts.start(3, { max_in_flight: 1, end_at: at(2) });
    const items = await planner.askedFor(id, 1);
    await planner.progressed(id, { timed_out: 2, in_flight: 1 });
    await planner.answer(id, items);
    const job = await planner.reached(id, 'Partially_successful');
    expect(job.tasks.filter((task) => task.status === 'Timed_out').map((task) => task.reason)).toEqual(
      Array(2).fill('end_at has passed'),
    );
    await expect(planner.act(id, 'retry')).rejects.toThrow('end_at of the job has passed');
    await rollouts.exact(id);
  });

  it('given a job that is paused and restored before its start, then it goes on as Running, and still nothing begins before', async () => {
    const start_at = new Date(Date.now() + 3_600_000).toISOString();
    const { id } = await rollouts.start(2, { start_at });
    await planner.progressed(id, { pending: 2, waiting_for: 'window' });
    expect((await planner.job(id)).status).toBe('Waiting');
    await planner.act(id, 'pause');
    await planner.reached(id, 'Stopped');
    expect((await planner.act(id, 'restore')).status).toBe('Running');
    await planner.progressed(id, { pending: 2, waiting_for: 'window' });
    expect(planner.asked(id)).toHaveLength(0);
    await planner.service.query(
      `UPDATE rollout SET spec = jsonb_set(spec, '{start_at}', to_jsonb(now())), due_at = now() WHERE id = $1`,
      [id],
    );
    await planner.answer(id, await planner.askedFor(id, 2));
    await planner.reached(id, 'Successful');
    await expect
      .poll(() => planner.service.statesOf(id))
      .toEqual(['Waiting', 'Stopping', 'Stopped', 'Running', 'Successful']);
  });

  it('given a job that is paused before an approval when end_at passes, then it ends as one that runs, and nobody is to decide', async () => {
    const end_at = new Date(Date.now() + 4_000).toISOString();
    const { id } = await rollouts.start(3, { waves: [{ count: 1 }, { approval: true }], end_at });
    await planner.answer(id, await planner.askedFor(id, 1));
    const approval = await approvalOf(planner, id);
    await planner.act(id, 'pause');
    await planner.reached(id, 'Stopped');
    const due = (await rollouts.waiting(id)).map(({ entity, waits_for, due_at }) => [entity, waits_for, due_at]);
    expect(due).toEqual(Array(2).fill(['job-task', 'approval', end_at.replace('Z', '000Z')]));
    const job = await planner.reached(id, 'Partially_successful');
    expect(job.progress).toMatchObject({ succeeded: 1, timed_out: 2, pending: 0, waiting_for: null });
    expect(job.tasks.filter(({ status }) => status === 'Timed_out').map(({ reason }) => reason)).toEqual(
      Array(2).fill('end_at has passed'),
    );
    await expect(decide(planner, approval.id, 'approve')).rejects.toThrow('the approval is withdrawn already');
    await expect(planner.act(id, 'restore')).rejects.toMatchObject({ kind: 'conflict' });
    await expect
      .poll(() => planner.service.statesOf(id))
      .toEqual(['Waiting', 'Running', 'Stopping', 'Stopped', 'Running', 'Partially_successful']);
    await rollouts.exact(id);
  });

  it('given that end_at passes before all devices are planned, then the job did not succeed, whatever those did that had a turn', async () => {
    const nodes = planner.nodes(501);
    const goOn = rollouts.keepFrom(nodes[500]!);
    const id = await planner.create(nodes, { rollout: { end_at: new Date(Date.now() + 3_600_000).toISOString() } });
    const items = await planner.askedFor(id, 500);
    await planner.answer(id, items.slice(1));
    await planner.progressed(id, { succeeded: 499, in_flight: 1 });
    await rollouts.over(id);
    await expect
      .poll(() => planner.service.query(`SELECT cut FROM rollout WHERE id = $1`, [id]))
      .toEqual([{ cut: true }]);
    // Nor does a pause make anybody forget it.
    await planner.act(id, 'pause');
    await planner.answer(id, items.slice(0, 1));
    const { reason, progress } = await planner.reached(id, 'Partially_successful');
    expect(reason).toBe('end_at has passed before all devices were planned');
    expect(progress).toMatchObject({ targeted: 500, succeeded: 500 });
    await goOn(id);
  });

  it.each(['run', 'pause'])(
    'given that end_at passes before any device is planned, where it is to %s, then the time of the job ran out',
    async (wish) => {
      const nodes = planner.nodes(1);
      const goOn = rollouts.keepFrom(nodes[0]!);
      const id = await planner.create(nodes, { rollout: { end_at: new Date(Date.now() + 3_600_000).toISOString() } });
      if (wish === 'pause') {
        await planner.act(id, 'pause');
        await planner.reached(id, 'Stopped');
      }
      await rollouts.over(id);
      expect((await planner.reached(id, 'Timed_out')).reason).toBe('end_at has passed before all devices were planned');
      await goOn(id);
      expect(planner.asked(id)).toEqual([]);
    },
  );

  it('given a paused job whose end is to come, then an approval or a restart of the service changes nothing of when it is looked at', async () => {
    const end_at = new Date(Date.now() + 3_600_000).toISOString();
    const { id } = await rollouts.start(2, { waves: [{ count: 1, approval: true }, {}], end_at });
    const approval = await approvalOf(planner, id);
    await planner.act(id, 'pause');
    await planner.reached(id, 'Stopped');
    const due = () => planner.service.query(`SELECT due_at FROM rollout WHERE id = $1`, [id]);
    await decide(planner, approval.id, 'approve');
    expect(await due()).toEqual([{ due_at: new Date(end_at) }]);
    await rollouts.due(id);
    await expect.poll(due).toEqual([{ due_at: new Date(end_at) }]);
    await planner.act(id, 'restore');
    await planner.askedFor(id, 1);
  });

  it('given a stop rule that pauses, when end_at passes while devices are under way, then the rest has run out, and they end by themselves', async () => {
    const end_at = new Date(Date.now() + 3_000).toISOString();
    const { id } = await rollouts.start(4, { max_in_flight: 2, end_at, abort: [{ count: 1, action: 'pause' }] });
    const [first, second] = await planner.askedFor(id, 2);
    await planner.answer(id, [first!], 'FAILURE', 'no space');
    await planner.reached(id, 'Stopping');
    await planner.progressed(id, { failed: 1, timed_out: 2, in_flight: 1 });
    await planner.answer(id, [second!]);
    await planner.reached(id, 'Partially_successful');
    await rollouts.exact(id);
  });

  it('given a device that rests between two tries when end_at passes, then it came to what its last try did', async () => {
    const end_at = new Date(Date.now() + 2_000).toISOString();
    const retry = [{ outcome: 'failed' as const, max: 1, backoff_seconds: 3_600 }];
    const { id } = await rollouts.start(2, { max_in_flight: 1, end_at, retry });
    await planner.answer(id, await planner.askedFor(id, 1), 'FAILURE', 'no space');
    const second = (await planner.askedFor(id, 2)).slice(1);
    await planner.progressed(id, { failed: 1, in_flight: 1 });
    await planner.answer(id, second);
    expect((await planner.reached(id, 'Partially_successful')).progress).toMatchObject({ failed: 1, timed_out: 0 });
    await rollouts.exact(id);
  });

  it.each([
    ['is offline', {}],
    ['missed its window', { window: { start: clock(-1), end: clock(1), timezone: 'UTC' } }],
  ])(
    'given a device that failed and then %s when end_at passes, then it came to what its last try did',
    async (_, when) => {
      const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
      const retry = [{ outcome: 'failed' as const, max: 1, backoff_seconds: 0 }];
      const { id } = await rollouts.start(1, { ...when, end_at: inAnHour, retry });
      await planner.answer(id, await planner.askedFor(id, 1), 'FAILURE', 'no space');
      await rollouts.due(id);
      const again = (await planner.askedFor(id, 2)).slice(1);
      if ('window' in when) {
        await planner.answer(id, again, 'TIMEOUT', 'never_contacted', { sent: false });
        await planner.askedFor(id, 3);
      }
      await planner.step(id, planner.asked(id).slice(-1), 'HELD');
      await planner.progressed(id, { offline: 1 });
      await rollouts.over(id);
      expect((await planner.reached(id, 'Failed')).progress).toMatchObject({ failed: 1, timed_out: 0 });
      await rollouts.exact(id);
    },
  );

  it('given a window that was missed, then that was no try: the rule still has its own', async () => {
    const retry = [{ outcome: 'failed' as const, max: 1, backoff_seconds: 0 }];
    const window = { start: clock(-1), end: clock(1), timezone: 'UTC' };
    const { id } = await rollouts.start(1, { window, retry });
    await planner.answer(id, await planner.askedFor(id, 1), 'TIMEOUT', 'never_contacted', { sent: false });
    await planner.answer(id, (await planner.askedFor(id, 2)).slice(1), 'FAILURE');
    await rollouts.due(id);
    await planner.answer(id, (await planner.askedFor(id, 3)).slice(2));
    await planner.reached(id, 'Successful');
  });

  it('given that a device is tried again within its window, then it has the whole of offline_seconds to come once more', async () => {
    const retry = [{ outcome: 'failed' as const, max: 1, backoff_seconds: 0 }];
    const window = { start: clock(-1), end: clock(1), timezone: 'UTC' };
    const { id } = await rollouts.start(1, { window, retry });
    const items = await planner.askedFor(id, 1);
    await planner.service.query(`UPDATE job_task SET contact_by = now() WHERE job_id = $1`, [id]);
    await planner.answer(id, items, 'FAILURE');
    await rollouts.due(id);
    const again = (await planner.askedFor(id, 2))[1]!;
    expect(Date.parse(again.expires_at!)).toBeGreaterThan(Date.now());
    await planner.answer(id, [again], 'TIMEOUT', 'never_contacted', { sent: false });
    await planner.askedFor(id, 3);
  });

  it('given a rate, then so many begin at once, and the rest one after the other', async () => {
    const { id } = await rollouts.start(5, { rate_per_minute: 2 });
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
    await rollouts.rescanned(id);
    await planner.answer(id, (await planner.askedFor(id, 3)).slice(2));
    await planner.progressed(id, { succeeded: 3 });
    await rollouts.over(id);
    expect((await planner.reached(id, 'Successful')).task_total_count).toBe(3);
    await rollouts.exact(id);
  });

  it('given continuous membership, when the end comes while devices are looked for again, then nobody is missed', async () => {
    const nodes = planner.nodes(1);
    const tag = uuid();
    planner.tagged.set(tag, nodes);
    const id = await planner.create([], {
      job_content: { target_type: 'node', target_query: { tags: tag }, task_data: '{}' },
      rollout: { membership: 'continuous', end_at: new Date(Date.now() + 3_600_000).toISOString() },
    });
    await planner.answer(id, await planner.askedFor(id, 1));
    await planner.progressed(id, { succeeded: 1, waiting_for: 'resolve' });
    const away = vi.spyOn(planner, 'page').mockImplementation(() => {
      throw new DomainError('unavailable', 'nobody answers');
    });
    await rollouts.rescanned(id);
    const planned = () => planner.service.query(`SELECT planned FROM rollout WHERE id = $1`, [id]);
    await expect.poll(planned).toEqual([{ planned: false }]);
    await rollouts.over(id);
    expect((await planner.reached(id, 'Successful')).reason).toBe('');
    away.mockRestore();
  });

  it('given continuous membership and several waves, then who joins is of the last one, also where it fits another, and none leaves', async () => {
    const [canary, staying, leaving, joining] = planner.nodes(4) as [string, string, string, string];
    const [tag, canaries] = [uuid(), uuid()];
    planner.tagged.set(tag, [canary, staying, leaving]);
    planner.tagged.set(canaries, [canary, joining]);
    const end_at = new Date(Date.now() + 3_600_000).toISOString();
    const id = await planner.create([], {
      job_content: { target_type: 'node', target_query: { tags: tag }, task_data: '{}' },
      rollout: { waves: [{ query: { tags: canaries } }, { count: 1 }, {}], membership: 'continuous', end_at },
    });
    const first = await planner.askedFor(id, 1);
    planner.tagged.set(tag, [canary, staying, joining]);
    await rollouts.rescanned(id);
    await planner.progressed(id, { targeted: 4, pending: 3 });
    await rollouts.exact(id);
    expect(first.map(({ device_id }) => device_id)).toEqual([canary]);
    await planner.answer(id, first);
    const second = (await planner.askedFor(id, 2)).slice(1);
    expect(second.map(({ device_id }) => device_id)).toEqual([staying]);
    await planner.answer(id, second);
    const last = (await planner.askedFor(id, 4)).slice(2);
    expect(new Set(last.map(({ device_id }) => device_id))).toEqual(new Set([leaving, joining]));
    await planner.answer(id, last);
    await planner.progressed(id, { succeeded: 4, targeted: 4, waiting_for: 'resolve' });
    await rollouts.exact(id);
    await planner.act(id, 'cancel');
  });
});
