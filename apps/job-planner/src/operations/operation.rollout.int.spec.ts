import { BATCH_SIZE, jobPlanner } from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { approvalOf, decide } from '../testing/approvals-of-test.js';
import { OperationsOfTest } from '../testing/operations-of-test.js';
import { RolloutsOfTest } from '../testing/rollouts-of-test.js';
import { PROJECT, RunningPlanner, USER } from '../testing/running-planner.js';

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

/** How many parts ended in which way. */
function endsOf(id: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { end } of operations.ends(id)) counts[end] = (counts[end] ?? 0) + 1;
  return counts;
}

describe('the rollout of an operation', () => {
  it('given one device after the other, then device-state is asked for their commands, and told how each ended and that it is over', async () => {
    const { id, nodes } = await operations.start(3, {
      max_in_flight: 1,
      priority: 4,
      timeout: { in_progress_seconds: 60, offline_seconds: 90 },
    });
    const parts = new Map(operations.partsOf(id).map((part) => [part.device_id, part.id]));
    for (const done of [0, 1, 2]) {
      const item = (await planner.askedFor(id, done + 1))[done]!;
      expect(item).toMatchObject({ ref: parts.get(item.device_id), args: {}, turn: 1 });
      await operations.progressed(id, { succeeded: done, in_flight: 1, pending: 2 - done, waiting_for: 'in_flight' });
      await planner.answer(id, [item]);
    }
    expect(await operations.ended(id)).toBe('');
    expect(planner.asked(id).map((item) => item.device_id)).toEqual(nodes);
    expect(planner.partRequests.find((batch) => batch.head.request_id === id)!.head).toMatchObject({
      command: 'REBOOT',
      args: {},
      priority: 4,
      in_progress_seconds: 60,
      offline_seconds: 90,
      reply_to: 'muster.work.job-planner.outcome',
      holds_to: 'muster.work.job-planner.step',
    });
    expect(planner.requests.filter((batch) => batch.head.request_id === id)).toEqual([]);
    expect(operations.ends(id).map(({ ref, end }) => [ref, end])).toEqual(
      nodes.map((node) => [parts.get(node), 'succeeded']),
    );
    expect(await operations.progress(id)).toMatchObject({ percent: 100, waiting_for: null });
  });

  it('given that it is handed over twice at once, and again after its end, then there is one', async () => {
    const id = operations.over(planner.nodes(4));
    expect(await operations.progress(id)).toBeNull();
    await Promise.all([operations.handOver(id, {}), operations.handOver(id, {})]);
    await planner.answer(id, await planner.askedFor(id, 4));
    await operations.ended(id);
    await operations.handOver(id, {});
    expect(planner.asks(id)).toHaveLength(4);
    expect(await operations.ended(id)).toBe('');
  });

  it('given 1,201 parts, then they are listed in pages, and each is asked for once', async () => {
    const pages = operations.pages.length;
    const { id } = await operations.start(1_201, {});
    expect(await planner.askedFor(id, 1_000)).toHaveLength(1_000);
    await planner.answer(id, planner.asked(id), 'FAILURE');
    await planner.answer(id, (await planner.askedFor(id, 1_201)).slice(1_000));
    await operations.ended(id);
    expect(operations.pages.slice(pages)).toEqual([BATCH_SIZE, BATCH_SIZE, 201]);
    expect(endsOf(id)).toEqual({ failed: 1_000, succeeded: 201 });
    expect(planner.asks(id)).toHaveLength(1_201);
  });

  it('given no part that has not begun, then it is over at once', async () => {
    const { id } = await operations.start(0, { waves: [{ count: 1 }, { approval: true }] });
    expect(await operations.ended(id)).toBe('');
    expect(await operations.partEnds(id)).toMatchObject({ over: true, reason: '', ends: [], waits_for: null });
  });

  it('given waves, one of which has a query, then each begins when the one before has shown what it needs', async () => {
    const nodes = planner.nodes(12);
    planner.tagged.set('first', [nodes[7]!, nodes[3]!, uuid()]);
    const id = operations.over(nodes);
    await operations.handOver(id, {
      waves: [{ query: { tags: 'first' } }, { count: 4, success_threshold: 50 }, {}],
    });
    const first = await planner.askedFor(id, 2);
    expect(first.map((item) => item.device_id).sort()).toEqual([nodes[3]!, nodes[7]!].sort());
    expect(await operations.progress(id)).toMatchObject({ wave: { number: 1, of: 3 }, pending: 10 });
    await planner.answer(id, first);
    const second = (await planner.askedFor(id, 6)).slice(2);
    await planner.answer(id, second.slice(0, 1), 'FAILURE');
    await planner.answer(id, second.slice(1, 2));
    await operations.progressed(id, { succeeded: 3, failed: 1, in_flight: 2 });
    expect(planner.asked(id)).toHaveLength(6);
    await planner.answer(id, second.slice(2));
    await planner.answer(id, (await planner.askedFor(id, 12)).slice(6));
    expect(await operations.ended(id)).toBe('');
    expect(endsOf(id)).toEqual({ succeeded: 11, failed: 1 });
  });

  it('given a rule to try again, then the same part has another command, and ends once, by the last', async () => {
    const { id } = await operations.start(2, {
      retry: [{ outcome: 'failed', code: 'busy', max: 1, backoff_seconds: 0 }],
    });
    const [first, other] = await planner.askedFor(id, 2);
    await planner.answer(id, [first!], 'FAILURE', 'device busy', { code: 'busy' });
    await planner.answer(id, [other!], 'FAILURE', 'broken', { code: 'broken' });
    await rollouts.due(id);
    const again = (await planner.askedFor(id, 3))[2]!;
    expect(again).toMatchObject({ device_id: first!.device_id, ref: first!.ref, turn: 2 });
    await planner.answer(id, [first!]);
    await planner.answer(id, [again], 'FAILURE', 'still busy', { code: 'busy' });
    expect(await operations.ended(id)).toBe('');
    expect(new Map(operations.ends(id).map(({ ref, reason }) => [ref, reason]))).toEqual(
      new Map([
        [first!.ref, 'still busy'],
        [other!.ref, 'broken'],
      ]),
    );
  });

  it('given a success that the report does not show, then nobody knows, and it is not tried again', async () => {
    const { id } = await operations.start(1, { retry: [{ outcome: 'any', max: 3 }] });
    const items = await planner.askedFor(id, 1);
    await planner.answer(id, items, 'FAILURE', 'the report does not show it: v', { shown: false });
    await operations.ended(id);
    expect(operations.ends(id)).toEqual([
      { ref: items[0]!.ref, end: 'unknown', reason: 'the report does not show it: v' },
    ]);
  });

  it.each([
    ['SUCCESS', '', true, 'succeeded'],
    ['FAILURE', 'exit_1', true, 'failed'],
    ['FAILURE', 'no_handler', true, 'rejected'],
    ['TIMEOUT', 'in_progress_timeout', true, 'timed_out'],
    ['TIMEOUT', 'never_contacted', false, 'never_contacted'],
    ['CANCELLED', '', false, 'cancelled'],
  ] as const)('given a command that came to %s %s (sent: %s), then its part ended %s', async (...given) => {
    const [status, code, sent, end] = given;
    const { id } = await operations.start(1, {});
    const items = await planner.askedFor(id, 1);
    await planner.answer(id, items, status, 'for a reason', { code, sent });
    await operations.ended(id);
    expect(operations.ends(id)).toEqual([{ ref: items[0]!.ref, end, reason: 'for a reason' }]);
  });

  it('given evidence, then a success that does not show it waits for the report, and is unknown when none comes', async () => {
    const { id } = await operations.start(3, { evidence: { path: 'os.version', equals: '12.4' } });
    const items = await planner.askedFor(id, 3);
    expect(planner.partRequests.find((batch) => batch.head.request_id === id)!.head.proof_path).toBe('os.version');
    await planner.answer(id, items.slice(0, 1), 'SUCCESS', '', { proof: '12.4' });
    await planner.answer(id, items.slice(1), 'SUCCESS', '', { proof: '12.3' });
    await operations.progressed(id, { succeeded: 1, in_flight: 2 });
    planner.reported.set(items[1]!.device_id, '12.4');
    await operations.progressed(id, { succeeded: 2, in_flight: 1 });
    await planner.service.query(
      `UPDATE operation_part SET proof_by = now(), ask_at = now() WHERE operation_id = $1 AND state = 'Running'`,
      [id],
    );
    await rollouts.due(id);
    await operations.ended(id);
    expect(endsOf(id)).toEqual({ succeeded: 2, unknown: 1 });
  });

  it('given devices that are offline, then they take no slot, and go on when they are back', async () => {
    const { id } = await operations.start(4, { max_in_flight: 2 });
    const items = await planner.askedFor(id, 2);
    await planner.step(id, items, 'HELD');
    await planner.answer(id, (await planner.askedFor(id, 4)).slice(2));
    await operations.progressed(id, { offline: 2, succeeded: 2, waiting_for: 'offline' });
    expect(await operations.partEnds(id)).toMatchObject({ over: false, waits_for: 'offline' });
    await planner.step(id, items.slice(0, 1), 'REACHABLE');
    await vi.waitUntil(() => planner.asks(id).length === 5);
    expect(planner.asks(id)[4]).toEqual({ ...items[0], turn: 2 });
    await planner.answer(id, items.slice(0, 1));
    await planner.answer(id, items.slice(1), 'TIMEOUT', '', { code: 'never_contacted', sent: false });
    expect(await operations.ended(id)).toBe('');
    expect(endsOf(id)).toEqual({ succeeded: 3, never_contacted: 1 });
  });

  it('given devices that are offline and to be skipped, then their commands are cancelled at device-state', async () => {
    const { id } = await operations.start(3, { offline: 'skip' });
    const items = await planner.askedFor(id, 3);
    await planner.step(id, items.slice(0, 1), 'HELD');
    await planner.answer(id, items.slice(1));
    await operations.ended(id);
    expect(operations.ends(id)).toContainEqual({
      ref: items[0]!.ref,
      end: 'cancelled',
      reason: 'skipped: the device is offline',
    });
    await vi.waitUntil(() => planner.cancelled(id).length === 1);
    expect(planner.cancelled(id)).toEqual([items[0]!.command_id]);
    expect(planner.partCancels.find((batch) => batch.head.request_id === id)!.head.reply_to).toBe(
      'muster.work.job-planner.outcome',
    );
  });

  it('given a request that was lost, then it is asked for again, and goes on where the service was restarted', async () => {
    const { id } = await operations.start(6, { waves: [{ count: 2 }, {}], max_in_flight: 3 });
    const [lost, other] = await planner.askedFor(id, 2);
    await planner.answer(id, [other!]);
    await operations.progressed(id, { succeeded: 1 });
    await planner.service.query(
      `UPDATE operation_part SET ask_at = now() WHERE operation_id = $1 AND state = 'Running'`,
      [id],
    );
    await planner.service.restart();
    await vi.waitUntil(() => planner.asks(id).length === 3);
    expect(planner.asks(id)[2]).toEqual(lost);
    await planner.answer(id, [lost!]);
    await planner.answer(id, (await planner.askedFor(id, 5)).slice(2));
    await planner.answer(id, (await planner.askedFor(id, 6)).slice(5));
    expect(await operations.ended(id)).toBe('');
  });
});

describe('an operation and a job over the same devices', () => {
  it('given an operation under way, then the plan of a job names it as a conflict', async () => {
    const { id, nodes } = await operations.start(5, { max_in_flight: 1, priority: 3 });
    await planner.answer(id, await planner.askedFor(id, 1));
    await planner.askedFor(id, 2);
    const plan = await planner.service.call(jobPlanner.planJob, {
      project_id: PROJECT,
      job: {
        job_name: 'aaa',
        job_type: 'deployment_deploy',
        job_content: { target_type: 'node', targets: nodes, task_data: '{}' },
      },
    });
    expect(plan.conflicts).toEqual([{ entity: 'operation', id, priority: 3, devices: 4 }]);
    await operations.halt(id);
    await planner.answer(id, planner.asked(id), 'CANCELLED');
    await operations.ended(id);
  });

  it('given a job that supersedes it, then what waits is cancelled, what was not sent is so at device-state, and what works goes on', async () => {
    const { id, nodes } = await operations.start(5, { max_in_flight: 2 });
    const items = await planner.askedFor(id, 2);
    const job = await planner.create(nodes, { rollout: { supersedes: true } });
    await vi.waitUntil(() => operations.ends(id).length === 3);
    expect(new Set(operations.ends(id).map(({ end, reason }) => `${end}: ${reason}`))).toEqual(
      new Set([`cancelled: superseded by job ${job}`]),
    );
    await vi.waitUntil(() => planner.cancelled(id).length === 2);
    const { head } = planner.partCancels.find((batch) => batch.head.request_id === id)!;
    expect(head).toMatchObject({ waiting_only: true, reason: `superseded by job ${job}` });
    await planner.answer(id, items.slice(0, 1), 'CANCELLED', '', { sent: false });
    await planner.answer(id, items.slice(1));
    expect(await operations.ended(id)).toBe('');
    expect(endsOf(id)).toEqual({ cancelled: 4, succeeded: 1 });
    await planner.answer(job, await planner.askedFor(job, 5));
    await planner.reached(job, 'Successful');
  });

  it('given that the operation supersedes, then the tasks that wait are cancelled, but for those of a higher priority', async () => {
    const nodes = planner.nodes(4);
    const plain = await planner.create(nodes, { rollout: { max_in_flight: 1 } });
    const urgent = await planner.create(nodes, { rollout: { max_in_flight: 1, priority: 9 } });
    for (const job of [plain, urgent]) await planner.askedFor(job, 1);
    const id = operations.over(nodes);
    await operations.handOver(id, { supersedes: true, priority: 1 });
    await planner.progressed(plain, { cancelled: 3 });
    await planner.answer(plain, planner.asked(plain));
    await planner.reached(plain, 'Partially_successful');
    expect((await planner.job(urgent)).progress).toMatchObject({ cancelled: 0, pending: 3 });
    await planner.answer(id, await planner.askedFor(id, 4));
    await operations.ended(id);
  });
});

describe('the approval of a wave', () => {
  it('given that it is asked for, then its subject is the operation, and the wave begins with the approval', async () => {
    const { id } = await operations.start(5, { waves: [{ count: 2 }, { approval: true }] });
    await planner.answer(id, await planner.askedFor(id, 2));
    const approval = await approvalOf(planner, id);
    expect(approval).toMatchObject({
      subject: { entity: 'operation', id, name: 'REBOOT', wave: 2 },
      requested_by: USER,
    });
    await operations.progressed(id, { waiting_for: 'approval', pending: 3 });
    await decide(planner, approval.id, 'approve');
    await planner.answer(id, (await planner.askedFor(id, 5)).slice(2));
    expect(await operations.ended(id)).toBe('');
  });

  it('given that it is rejected, then the rollout is over with that as its reason', async () => {
    const { id } = await operations.start(5, { waves: [{ count: 2 }, { approval: true }] });
    await planner.answer(id, await planner.askedFor(id, 2));
    await decide(planner, (await approvalOf(planner, id)).id, 'reject');
    expect(await operations.ended(id)).toBe('wave 2 was not approved: looked at it');
    expect(endsOf(id)).toEqual({ succeeded: 2, cancelled: 3 });
  });
});
