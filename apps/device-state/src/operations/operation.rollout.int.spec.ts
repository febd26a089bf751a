import { deviceState, operationRollouts, type JsonObject } from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PlannerOfTest } from '../testing/planner-of-test.js';
import { MAKER, PROJECT, RunningOperations } from '../testing/running-operations.js';

let running: RunningOperations;
let planner: PlannerOfTest;

beforeAll(async () => {
  running = await RunningOperations.start();
  planner = new PlannerOfTest(running);
  await running.state.service.connection.flush();
});
afterAll(() => running.stop());

const statesOf = async (id: string, device: string) =>
  (await running.part(id, device)).device_operation_activity.map(
    ({ device_operation_state }) => device_operation_state,
  );

const WHOLE = ['CREATED', 'INITIATED', 'DISPATCHED', 'PROCESSING', 'COMPLETED', 'SUCCESS'];

describe('an operation with a rollout', () => {
  it('given that its devices are resolved, then it is handed over, and nobody is asked before their turn', async () => {
    const devices = await running.devices(3);
    const rollout = { waves: [{ count: 1 }, {}], max_in_flight: 2 };
    const id = await planner.rollOut(devices, { arguments: { force: true } }, rollout);
    expect(planner.startsOf(id)).toEqual([
      { project_id: PROJECT, id, operation: 'REBOOT', requested_by: MAKER, rollout },
    ]);
    expect((await planner.parts(id)).map(({ device_id }) => device_id)).toEqual(devices.toSorted());
    await planner.look(id);
    await planner.begin(id, devices.slice(0, 1));
    expect(running.asked(id)).toHaveLength(1);
    expect((await planner.parts(id)).map(({ device_id }) => device_id)).toEqual(devices.slice(1).toSorted());
    expect((await running.operation(id)).state).toBe('DISPATCHING');
    expect(await running.counts(id)).toMatchObject({ resolved_device_count: 3, dispatched_device_count: 0 });
    expect(planner.startsOf(id)).toHaveLength(1);
    await running.exact(id);
  });

  it('given more devices than a page has, then it is handed over once all of them are resolved', async () => {
    await running.devices(1_201, { tags: ['rolled'] });
    const { id } = await running.ask({ operation_device_query: { tags: ['rolled'] }, rollout: {} });
    await planner.handedOver(id);
    expect((await running.parts(id)).count).toBe(1_201);
    const way = (await running.operation(id)).operation_activity.map(({ operation_state }) => operation_state);
    expect(way).toEqual(['CREATED', 'RESOLVING', 'RESOLVED', 'DISPATCHING']);
  });

  it('given no device to work on, then nobody hears of it, and it fails', async () => {
    const { id } = await running.ask({ operation_device_query: { tags: ['nobody'] }, rollout: {} });
    expect((await running.reached(id, 'FAILURE')).reason).toBe('no device to work on');
    expect(planner.startsOf(id)).toEqual([]);
  });

  it('given a query, then those of its devices that have not begun are listed, whatever else it matches', async () => {
    const devices = await running.devices(4, { tags: ['listed'] });
    await running.devices(2, { tags: ['listed'] });
    const id = await planner.rollOut(devices);
    await planner.begin(id, devices.slice(0, 1));
    const list = (after?: string) =>
      running.state.call(operationRollouts.listOperationParts, {
        project_id: PROJECT,
        id,
        query: { tags: 'listed' },
        limit: 4,
        ...(after && { after }),
      });
    const first = await list();
    const rest = await list(first.next!);
    const found = [...first.parts, ...rest.parts].map(({ device_id }) => device_id);
    expect([found, rest.next]).toEqual([devices.slice(1).toSorted(), null]);
  });
});

describe('the turn of a device', () => {
  it('given a turn, then its command is asked for with the times of the rollout and what the operation has for the device', async () => {
    const devices = await running.devices(1, { timezone: 'Asia/Tokyo' });
    const id = await planner.rollOut(devices, { arguments: { force: true } });
    const [turn] = await planner.turns(id);
    const expires_at = new Date(Date.now() + 60_000).toISOString();
    await planner.request(id, [{ ...turn!, expires_at, turn: 3 }], {
      in_progress_seconds: 77,
      offline_seconds: 88,
      priority: 5,
      args: { another: 'word' },
      proof_path: 'os.version',
    });
    const [item] = await planner.askedFor(id, [turn!]);
    expect(item).toEqual({ ...turn, args: {}, timezone: 'Asia/Tokyo', expires_at, turn: 3 });
    const { head } = running.requests.find((batch) => batch.head.request_id === id)!;
    expect(head).toEqual({
      request_id: id,
      command: 'REBOOT',
      args: { force: true },
      in_progress_seconds: 77,
      offline_seconds: 88,
      priority: 5,
      reply_to: 'muster.work.device-state.operation_outcome',
      steps_to: 'muster.work.device-state.operation_step',
      holds_to: 'muster.work.device-state.operation_step',
      proof_path: 'os.version',
    });
    expect((await running.partReached(id, devices[0]!, 'INITIATED')).reason).toBe('');
    await running.exact(id);
  });

  it('given the same turn again, then the same command is asked for again, and nothing moves', async () => {
    const devices = await running.devices(2);
    const id = await planner.rollOut(devices);
    const turns = await planner.turns(id);
    await planner.request(id, turns);
    await planner.request(id, turns.toReversed());
    const batches = () => running.requests.filter((batch) => batch.head.request_id === id);
    await vi.waitUntil(() => batches().length === 2);
    expect(batches()[1]!.items.toSorted((a, b) => (a.ref < b.ref ? -1 : 1))).toEqual(
      batches()[0]!.items.toSorted((a, b) => (a.ref < b.ref ? -1 : 1)),
    );
    for (const device of devices) expect(await statesOf(id, device)).toEqual(['CREATED', 'INITIATED']);
    expect(planner.told(id)).toEqual([]);
    await running.exact(id);
  });

  it('given outcomes, then each is passed on, and tells of its device no more than that it was sent', async () => {
    const devices = await running.devices(4);
    const id = await planner.rollOut(devices);
    const [done, broken, away, taken] = await planner.begin(id);
    await running.step(id, [taken!], 'ACKNOWLEDGED');
    await running.answer(id, [done!]);
    await running.answer(id, [broken!, taken!], 'FAILURE', 'exit_1');
    await running.answer(id, [away!], 'TIMEOUT', 'never_contacted');
    await vi.waitUntil(() => planner.told(id).length === 4);
    const named = (item: typeof done) => ({ command_id: item!.command_id, ref: item!.ref });
    expect(new Set(planner.told(id))).toEqual(
      new Set([
        { ...named(done), status: 'SUCCESS', reason: '', code: '', sent: true },
        { ...named(broken), status: 'FAILURE', reason: '', code: 'exit_1', sent: true },
        { ...named(taken), status: 'FAILURE', reason: '', code: 'exit_1', sent: true },
        { ...named(away), status: 'TIMEOUT', reason: '', code: 'never_contacted', sent: false },
      ]),
    );
    const states = await Promise.all([done, broken, away, taken].map((item) => running.part(id, item!.device_id)));
    expect(states.map(({ state }) => state)).toEqual(['DISPATCHED', 'DISPATCHED', 'INITIATED', 'PROCESSING']);
    expect(await running.counts(id)).toMatchObject({ dispatched_device_count: 3, success_device_count: 0 });
    await running.exact(id);
  });

  it('given its steps, then whether it is in reach is passed on, and nothing else', async () => {
    const devices = await running.devices(1);
    const id = await planner.rollOut(devices);
    const items = await planner.begin(id);
    for (const step of ['QUEUED', 'HELD', 'REACHABLE', 'INITIATED', 'ACKNOWLEDGED', 'INPROGRESS'] as const)
      await running.step(id, items, step);
    await running.partReached(id, devices[0]!, 'PROCESSING');
    const { command_id } = items[0]!;
    expect(planner.stepsOf(id).toSorted()).toEqual([`${command_id} HELD`, `${command_id} REACHABLE`]);
    expect(await statesOf(id, devices[0]!)).toEqual(['CREATED', 'INITIATED', 'DISPATCHED', 'PROCESSING']);
  });

  it('given another try, then another command is asked for under the same device operation, which ends by it', async () => {
    const devices = await running.devices(1);
    const id = await planner.rollOut(devices);
    const [first] = await planner.begin(id);
    await running.step(id, [first!], 'ACKNOWLEDGED');
    await running.answer(id, [first!], 'FAILURE', 'busy');
    await planner.toldOf(id, first!);
    const again = { ...first!, command_id: uuid(), turn: 2 };
    await planner.request(id, [again]);
    const [asked] = await planner.askedFor(id, [again]);
    expect(asked).toMatchObject({ ref: first!.ref, command_id: again.command_id, turn: 2 });
    // What is said of the earlier command comes late.
    await running.answer(id, [first!], 'FAILURE', 'busy');
    await running.answer(id, [again]);
    await planner.toldOf(id, again);
    expect((await running.part(id, devices[0]!)).state).toBe('PROCESSING');
    await planner.end(id, [again], 'succeeded');
    await planner.over(id);
    await running.reached(id, 'SUCCESS');
    expect(await statesOf(id, devices[0]!)).toEqual(WHOLE);
    await running.exact(id);
  });

  it('given a turn of what is not part of the operation, then it is answered as cancelled', async () => {
    const devices = await running.devices(1);
    const id = await planner.rollOut(devices);
    const stranger = { command_id: uuid(), device_id: devices[0]!, ref: uuid(), args: {}, turn: 1 };
    await planner.request(id, [stranger]);
    expect(await planner.endedOf(id, stranger)).toMatchObject({ end: 'cancelled' });
    expect(running.asked(id)).toEqual([]);
  });
});

describe('the end of a device', () => {
  it.each([
    ['succeeded', 'SUCCESS', { success_device_count: 1 }],
    ['failed', 'FAILURE', { failed_device_count: 1 }],
    ['rejected', 'FAILURE', { failed_device_count: 1 }],
    ['unknown', 'FAILURE', { failed_device_count: 1 }],
    ['timed_out', 'TIMEOUT', { failed_device_count: 1 }],
    ['cancelled', 'CANCELLED', {}],
  ] as const)('given that it %s after it was sent, then it is %s for the reason, and counts so', async (...given) => {
    const [end, state, counts] = given;
    const [device] = await running.devices(1);
    const id = await planner.rollOut([device!]);
    const items = await planner.begin(id);
    await running.step(id, items, 'INITIATED');
    await running.partReached(id, device!, 'DISPATCHED');
    await planner.end(id, items, end, 'for a reason');
    expect((await running.partReached(id, device!, state)).reason).toBe('for a reason');
    expect(await running.counts(id)).toEqual({
      resolved_device_count: 1,
      dispatched_device_count: 1,
      dispatch_failed_count: 0,
      failed_device_count: 0,
      success_device_count: 0,
      ...counts,
    });
    await planner.over(id);
    await running.reached(id, end === 'succeeded' ? 'SUCCESS' : 'FAILURE');
    await running.exact(id);
  });

  it('given devices that were never contacted, or cancelled before their turn, then neither counts as sent', async () => {
    const devices = await running.devices(2);
    const id = await planner.rollOut(devices);
    const [away] = await planner.begin(id, devices.slice(0, 1));
    const [waiting] = await planner.turns(id);
    await planner.end(id, [away!], 'never_contacted', 'never_contacted');
    await planner.end(id, [waiting!], 'cancelled', 'stop rule 1');
    await planner.over(id, 'stop rule 1');
    expect((await running.reached(id, 'FAILURE')).reason).toBe('stop rule 1');
    expect(await statesOf(id, devices[0]!)).toEqual(['CREATED', 'INITIATED', 'TIMEOUT']);
    expect(await statesOf(id, devices[1]!)).toEqual(['CREATED', 'CANCELLED']);
    expect(await running.counts(id)).toMatchObject({ dispatched_device_count: 0, dispatch_failed_count: 1 });
    await running.exact(id);
  });

  it('given that it is told twice, otherwise, or late, then the first word counts', async () => {
    const devices = await running.devices(2);
    const id = await planner.rollOut(devices);
    const items = await planner.begin(id);
    await planner.end(id, items, 'succeeded');
    for (const device of devices) await running.partReached(id, device, 'SUCCESS');
    await planner.end(id, [...items, ...items], 'failed', 'no');
    await running.answer(id, items, 'FAILURE', 'exit_1');
    await running.step(id, items, 'INPROGRESS');
    await planner.over(id);
    await running.reached(id, 'SUCCESS');
    const last = await running.operation(id);
    await planner.end(id, items, 'cancelled');
    await planner.over(id, 'too late');
    const again = items.map((item) => ({ ...item, command_id: uuid() }));
    await planner.request(id, again);
    expect(await planner.endedOf(id, again[0]!)).toMatchObject({ end: 'succeeded' });
    expect(await running.operation(id)).toEqual(last);
    await running.exact(id);
  });

  it('given an end before the turn, then the turn is answered with it', async () => {
    const devices = await running.devices(1);
    const id = await planner.rollOut(devices);
    const [turn] = await planner.turns(id);
    await planner.end(id, [turn!], 'failed', 'no');
    await running.partReached(id, devices[0]!, 'FAILURE');
    await planner.request(id, [turn!]);
    expect(await planner.endedOf(id, turn!)).toMatchObject({ end: 'failed', reason: 'it had ended before its turn' });
    expect(running.asked(id)).toEqual([]);
  });

  it('given the ends of all before the word that the rollout is over, then the operation waits for why that is', async () => {
    const devices = await running.devices(3);
    const id = await planner.rollOut(devices);
    const items = await planner.begin(id);
    await planner.end(id, items.slice(0, 1), 'failed', 'exit_1');
    await planner.end(id, items.slice(1), 'cancelled', 'stop rule 1');
    await vi.waitUntil(async () => (await running.parts(id, 'CANCELLED')).count === 2);
    await running.reached(id, 'PROCESSING');
    await planner.over(id, 'stop rule 1');
    expect((await running.reached(id, 'FAILURE')).reason).toBe('stop rule 1');
  });
});

describe('a CONVERGE with a rollout', () => {
  const device = async (desired: JsonObject, reported: JsonObject): Promise<string> => {
    const [id] = await running.devices(1, { desired });
    await report(id!, reported);
    return id!;
  };
  const report = async (id: string, what: JsonObject) => {
    running.report(id, what);
    const shows = (now: { reported: JsonObject }) =>
      Object.entries(what).every(([name, value]) => JSON.stringify(now.reported[name]) === JSON.stringify(value));
    await running.until(() => running.state.device(PROJECT, id), shows);
  };
  const converge = (devices: string[]) => planner.rollOut(devices, { operation: 'CONVERGE' });
  /** The time for the proof is up. */
  const overdue = (id: string) =>
    running.state.query(`UPDATE device_operation SET due_at = now() WHERE operation_id = $1 AND state = 'COMPLETED'`, [
      id,
    ]);

  it('given a desired state that changes before its turn, then the difference of that moment is sent, and proved', async () => {
    const one = await device({ v: 2 }, { v: 1 });
    const id = await converge([one]);
    const patch = { desired: { v: 3 } };
    await running.state.call(deviceState.patchDevice, { project_id: PROJECT, id: one, patch });
    const items = await planner.begin(id);
    expect(items[0]!.args).toEqual({ desired: { v: 3 } });
    await running.answer(id, items);
    await running.partReached(id, one, 'COMPLETED');
    expect(planner.told(id)).toEqual([]);
    await report(one, { v: 3 });
    expect(await planner.toldOf(id, items[0]!)).toMatchObject({ status: 'SUCCESS', sent: true });
    expect((await running.part(id, one)).state).toBe('COMPLETED');
    await planner.end(id, items, 'succeeded');
    await planner.over(id);
    await running.reached(id, 'SUCCESS');
    expect(await statesOf(id, one)).toEqual(WHOLE);
    await running.exact(id);
  });

  it('given a device that is as it should be, then that is told at once, and nothing is sent', async () => {
    const one = await device({ v: 1 }, { v: 1 });
    const id = await converge([one]);
    const [turn] = await planner.turns(id);
    await planner.request(id, [turn!]);
    expect(await planner.toldOf(id, turn!)).toMatchObject({
      status: 'SUCCESS',
      reason: 'already converged',
      sent: false,
    });
    await planner.request(id, [turn!]);
    await vi.waitUntil(() => planner.told(id).length === 2);
    expect(planner.told(id)[1]).toMatchObject({ command_id: turn!.command_id, status: 'SUCCESS' });
    await planner.end(id, [turn!], 'succeeded', 'already converged');
    await planner.over(id);
    await running.reached(id, 'SUCCESS');
    expect(await statesOf(id, one)).toEqual(['CREATED', 'COMPLETED', 'SUCCESS']);
    expect(running.asked(id)).toEqual([]);
    await running.exact(id);
  });

  it('given no proof in time, then that is told as a failure of its own, again and again until the end is heard', async () => {
    const one = await device({ v: 2 }, { v: 1 });
    const id = await converge([one]);
    const items = await planner.begin(id);
    await running.answer(id, items);
    await running.partReached(id, one, 'COMPLETED');
    for (const times of [1, 2, 3]) {
      await overdue(id);
      await vi.waitUntil(() => planner.told(id).length === times);
    }
    const { ref, command_id } = items[0]!;
    const reason = 'the report does not show it: v';
    const failure = { command_id, ref, status: 'FAILURE', code: '', reason, sent: true, shown: false };
    expect(planner.told(id)).toEqual([failure, failure, failure]);
    await planner.end(id, items, 'unknown', reason);
    expect((await running.partReached(id, one, 'FAILURE')).reason).toBe(reason);
    await overdue(id);
    await planner.over(id);
    await running.reached(id, 'FAILURE');
    expect(planner.told(id)).toHaveLength(3);
    await running.exact(id);
  });

  it('given a command that fails, then no proof is awaited', async () => {
    const one = await device({ v: 2 }, { v: 1 });
    const id = await converge([one]);
    const items = await planner.begin(id);
    await running.answer(id, items, 'FAILURE', 'exit_1');
    expect(await planner.toldOf(id, items[0]!)).toMatchObject({ status: 'FAILURE', code: 'exit_1' });
    expect((await running.part(id, one)).state).toBe('DISPATCHED');
  });
});
