import { operationPartWork, type Rollout } from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { approvalOf, decide, pendingApprovals } from '../testing/approvals-of-test.js';
import { OperationsOfTest } from '../testing/operations-of-test.js';
import { RolloutsOfTest } from '../testing/rollouts-of-test.js';
import { PROJECT, RunningPlanner } from '../testing/running-planner.js';

let planner: RunningPlanner;
let operations: OperationsOfTest;
let rollouts: RolloutsOfTest;

beforeAll(async () => {
  planner = await RunningPlanner.start();
  operations = new OperationsOfTest(planner);
  rollouts = new RolloutsOfTest(planner);
  await planner.service.connection.flush();
});
afterAll(() => planner.service.stop());

/** What was told of parts that were cancelled for this reason, each once. */
const cancelledFor = (id: string, reason: string): number =>
  operations.ends(id).filter((one) => one.end === 'cancelled' && one.reason === reason).length;

/** Answers every command that is to be cancelled as device-state does. */
async function obey(id: string, count: number): Promise<void> {
  await vi.waitUntil(() => new Set(planner.cancelled(id)).size >= count);
  const stopping = new Set(planner.cancelled(id));
  await planner.answer(
    id,
    planner.asked(id).filter(({ command_id }) => stopping.has(command_id)),
    'CANCELLED',
    'was cancelled',
    { sent: false },
  );
}

describe('the rollout of an operation that goes wrong', () => {
  it('given a stop rule, then what never began ends with the rule as its reason, what is under way is cancelled, and so it is over', async () => {
    const { id } = await operations.start(20, { max_in_flight: 4, abort: [{ count: 2, action: 'cancel' }] });
    const items = await planner.askedFor(id, 4);
    await planner.answer(id, items.slice(0, 2), 'FAILURE', 'no space');
    await obey(id, 2);
    const reason = 'stop rule 1: 2 devices did not succeed';
    expect(await operations.ended(id)).toBe(reason);
    expect(cancelledFor(id, reason)).toBe(16);
    expect(cancelledFor(id, 'was cancelled')).toBe(2);
    expect(planner.asked(id)).toHaveLength(4);
  });

  it('given a wave whose threshold cannot be reached, then the rollout, which cannot be paused, is cancelled', async () => {
    const { id } = await operations.start(10, { waves: [{ count: 2, success_threshold: 100 }, {}] });
    const first = await planner.askedFor(id, 2);
    await planner.answer(id, first.slice(0, 1), 'FAILURE');
    await obey(id, 1);
    const reason = 'wave 1: at most 50 % of its devices can still succeed, 100 % are needed';
    expect(await operations.ended(id)).toBe(reason);
    expect(cancelledFor(id, reason)).toBe(8);
  });

  it('given that its time is up, then what never began was never contacted', async () => {
    const { id } = await operations.start(4, {
      max_in_flight: 1,
      end_at: new Date(Date.now() + 3_600_000).toISOString(),
    });
    const items = await planner.askedFor(id, 1);
    await planner.service.query(
      `UPDATE rollout SET spec = spec || jsonb_build_object('end_at', now()), due_at = now() WHERE id = $1`,
      [id],
    );
    await operations.progressed(id, { timed_out: 3 });
    expect(operations.oversOf(id)).toEqual([]);
    await planner.answer(id, items);
    expect(await operations.ended(id)).toBe('');
    expect(operations.ends(id).filter(({ end }) => end === 'never_contacted')).toHaveLength(3);
  });

  it('given that its time is up before its devices have their places, then those were never contacted', async () => {
    const { id } = await operations.start(4, { end_at: new Date(Date.now() - 1_000).toISOString() });
    expect(await operations.ended(id)).toBe('');
    const rest = { end: 'never_contacted', reason: 'end_at has passed' };
    expect(await operations.partEnds(id)).toEqual({ over: true, reason: '', ends: [], rest, waits_for: null });
    expect(planner.asked(id)).toEqual([]);
  });

  it('given a wave of a group that is gone, then no device begins, and the rollout is over with that reason', async () => {
    const group = uuid();
    const { id } = await operations.start(3, { waves: [{ query: { group } }, {}] });
    expect(await operations.ended(id)).toBe(`its devices cannot be told: query.group: no group ${group}`);
    expect(operations.ends(id)).toEqual([]);
    expect(planner.asked(id)).toEqual([]);
  });
});

describe('an operation that is to be stopped', () => {
  const reason = 'no longer wanted';

  const moments: [string, Rollout, (id: string) => Promise<unknown>, { begun: number; open: number }][] = [
    [
      'it waits for its time',
      { start_at: '2057-01-01T00:00:00Z' },
      (id) => operations.progressed(id, { pending: 6, waiting_for: 'window' }),
      { begun: 0, open: 0 },
    ],
    [
      'its first wave waits for an approval',
      { waves: [{ count: 2, approval: true }, {}] },
      (id) => approvalOf(planner, id),
      { begun: 0, open: 0 },
    ],
    [
      'it soaks',
      { waves: [{ count: 2, soak_seconds: 3_600 }, {}] },
      async (id) => {
        await planner.answer(id, await planner.askedFor(id, 2));
        await operations.progressed(id, { waiting_for: 'soak' });
      },
      { begun: 2, open: 0 },
    ],
    ['all are under way', {}, (id) => planner.askedFor(id, 6), { begun: 6, open: 6 }],
    ['some are under way', { max_in_flight: 2 }, (id) => planner.askedFor(id, 2), { begun: 2, open: 2 }],
    [
      'devices are offline',
      { max_in_flight: 2 },
      async (id) => {
        await planner.step(id, await planner.askedFor(id, 2), 'HELD');
        await planner.answer(id, (await planner.askedFor(id, 4)).slice(2));
        await planner.answer(id, (await planner.askedFor(id, 6)).slice(4));
        await operations.progressed(id, { offline: 2, succeeded: 4 });
      },
      { begun: 6, open: 0 },
    ],
    [
      'a device waits for another try',
      { max_in_flight: 1, retry: [{ outcome: 'any', max: 3, backoff_seconds: 3_600 }] },
      async (id) => {
        for (const tried of [1, 2, 3, 4, 5, 6])
          await planner.answer(id, (await planner.askedFor(id, tried)).slice(-1), 'FAILURE');
        await operations.progressed(id, { pending: 6, waiting_for: 'retry_at' });
      },
      { begun: 6, open: 0 },
    ],
    [
      'it has just been told to',
      { max_in_flight: 1 },
      async (id) => {
        await planner.askedFor(id, 1);
        await operations.halt(id, reason);
        await vi.waitUntil(() => planner.cancelled(id).length > 0);
      },
      { begun: 1, open: 1 },
    ],
  ];

  it.each(moments)(
    'given that %s, then nothing begins any more and it is over with the reason, once',
    async (...given) => {
      const [, rollout, until, { begun, open }] = given;
      const { id } = await operations.start(6, rollout);
      await until(id);
      await Promise.all([operations.halt(id, reason), operations.halt(id, 'another')]);
      if (open > 0) {
        expect((await operations.partEnds(id)).over).toBe(false);
        await obey(id, open);
      }
      expect(await operations.ended(id)).toBe(operations.oversOf(id)[0] === 'another' ? 'another' : reason);
      expect(planner.asked(id)).toHaveLength(begun);
      await operations.halt(id, 'again');
      await rollouts.due(id);
      await operations.progressed(id, { pending: 0, in_flight: 0, offline: 0, waiting_for: null });
      expect(operations.oversOf(id)).toHaveLength(1);
      expect((await pendingApprovals(planner)).filter(({ subject }) => subject.id === id)).toEqual([]);
    },
  );

  it('given that it is not known, then nothing comes of it, and it may be handed over later', async () => {
    const id = operations.over(planner.nodes(2));
    await operations.halt(id);
    expect(await operations.partEnds(id)).toMatchObject({
      over: true,
      reason: '',
      ends: [],
      rest: { end: 'cancelled' },
    });
    expect(await operations.progress(id)).toBeNull();
    await operations.handOver(id, {});
    await planner.answer(id, await planner.askedFor(id, 2));
    expect(await operations.ended(id)).toBe('');
  });

  it('given that it has ended, then it stays as it is', async () => {
    const { id } = await operations.start(2, {});
    await planner.answer(id, await planner.askedFor(id, 2));
    expect(await operations.ended(id)).toBe('');
    const before = await operations.progress(id);
    await operations.halt(id);
    await rollouts.due(id);
    expect(await operations.progress(id)).toEqual(before);
    expect(await operations.ended(id)).toBe('');
  });

  it('given that a command succeeds all the same, then that is how its part ended', async () => {
    const { id } = await operations.start(3, {});
    const items = await planner.askedFor(id, 3);
    await operations.halt(id);
    await vi.waitUntil(() => planner.cancelled(id).length === 3);
    await planner.answer(id, items.slice(0, 1));
    await planner.answer(id, items.slice(1, 2), 'TIMEOUT');
    expect((await operations.partEnds(id)).over).toBe(false);
    await planner.answer(id, items.slice(2), 'CANCELLED');
    expect(await operations.ended(id)).toBe('no longer wanted');
    expect(
      operations
        .ends(id)
        .map(({ end }) => end)
        .sort(),
    ).toEqual(['cancelled', 'succeeded', 'timed_out']);
  });

  it('given that it was stopped while an approval was asked for, then the approval is withdrawn', async () => {
    const { id } = await operations.start(3, { waves: [{ count: 1 }, { approval: true }] });
    await planner.answer(id, await planner.askedFor(id, 1));
    const approval = await approvalOf(planner, id);
    await operations.halt(id);
    await operations.ended(id);
    await expect(decide(planner, approval.id, 'approve')).rejects.toThrow('is withdrawn already');
    expect(planner.asked(id)).toHaveLength(1);
  });
});

describe('parts that users or services have ended', () => {
  it('given some that wait, some under way and some between two tries, then they end so, none is tried again, and the rest goes on', async () => {
    const { id } = await operations.start(4, {
      max_in_flight: 2,
      retry: [{ outcome: 'any', max: 9, backoff_seconds: 3_600 }],
    });
    const [first, second] = await planner.askedFor(id, 2);
    await planner.answer(id, [first!], 'FAILURE', 'busy');
    const [third] = (await planner.askedFor(id, 3)).slice(2);
    const asked = new Set(planner.asked(id).map(({ ref }) => ref));
    const waiting = operations.partsOf(id).find((part) => !asked.has(part.id))!;
    const refs = [first!.ref, second!.ref, waiting.id];
    const items = refs.map((ref) => ({ ref, end: 'cancelled' as const, reason: 'by anna' }));
    for (let times = 0; times < 2; times++)
      await planner.service.ask(operationPartWork.ended, { project_id: PROJECT, head: { operation_id: id }, items });
    await vi.waitUntil(() => cancelledFor(id, 'by anna') === 3);
    await planner.answer(id, [second!], 'FAILURE', 'too late');
    await planner.answer(id, [third!]);
    expect(await operations.ended(id)).toBe('');
    expect(await operations.progress(id)).toMatchObject({ cancelled: 3, succeeded: 1, in_flight: 0, pending: 0 });
    expect(planner.asked(id)).toHaveLength(3);
  });
});
