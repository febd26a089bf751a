import { operations, type DeviceOperationReport, type Rollout } from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PlannerOfTest } from '../testing/planner-of-test.js';
import { PROJECT, RunningOperations, type Asked } from '../testing/running-operations.js';

let running: RunningOperations;
let planner: PlannerOfTest;

beforeAll(async () => {
  running = await RunningOperations.start();
  planner = new PlannerOfTest(running);
  await running.state.service.connection.flush();
});
afterAll(() => running.stop());

/** Carries a stop out as job-planner does: what is under way ends by its command, what is not ends at once. */
async function obeyStop(id: string, commands: readonly Asked[] = []): Promise<void> {
  await vi.waitUntil(() => planner.stopsOf(id).length > 0);
  await running.answer(id, commands, 'CANCELLED');
  for (const command of commands) await planner.toldOf(id, command);
  await planner.end(id, commands, 'cancelled', 'was cancelled');
  await planner.over(id, planner.stopsOf(id)[0]);
}

/** How job-planner calls the ends of device operations. */
const WORDS = { SUCCESS: 'succeeded', FAILURE: 'failed', TIMEOUT: 'timed_out', CANCELLED: 'cancelled' } as const;

/** That the operation has come to this end with nothing open, and that a turn that comes after is answered so. */
async function nothingIsOpen(id: string, device: string, state: 'CANCELLED' | 'TIMEOUT'): Promise<void> {
  await running.reached(id, state);
  const open = await Promise.all(
    (['CREATED', 'INITIATED', 'DISPATCHED', 'PROCESSING', 'COMPLETED'] as const).map((one) => running.parts(id, one)),
  );
  expect(open.map(({ count }) => count)).toEqual([0, 0, 0, 0, 0]);
  const part = await running.part(id, device);
  const asked = running.asked(id).length;
  const late = { command_id: uuid(), device_id: device, ref: part.id, args: {}, turn: 9 };
  await planner.request(id, [late]);
  await expect
    .poll(() => planner.endedOf(id, late))
    .toMatchObject({ end: WORDS[part.state as keyof typeof WORDS], reason: 'it had ended before its turn' });
  expect(running.asked(id)).toHaveLength(asked);
  expect(await running.part(id, device)).toEqual(part);
  await running.exact(id);
}

describe('the cancel of an operation with a rollout', () => {
  it('given that it is not handed over yet, then no device begins, and nobody is told to go on', async () => {
    const devices = await running.devices(2);
    planner.mood = 'away';
    const id = await running.create(devices, { rollout: {} });
    await running.reached(id, 'RESOLVED');
    await running.cancel(id);
    await running.partReached(id, devices[1]!, 'CANCELLED');
    await planner.recover(id);
    await nothingIsOpen(id, devices[0]!, 'CANCELLED');
    expect(planner.startsOf(id)).toEqual([]);
  });

  it('given that it was handed over although nobody heard the answer, then job-planner is told to stop', async () => {
    const devices = await running.devices(2);
    planner.mood = 'mute';
    const id = await running.create(devices, { rollout: { waves: [{ approval: true }] } });
    await vi.waitUntil(() => planner.startsOf(id).length > 0);
    await running.cancel(id);
    await running.partReached(id, devices[1]!, 'CANCELLED');
    await planner.recover(id);
    await nothingIsOpen(id, devices[0]!, 'CANCELLED');
    expect(planner.stopsOf(id)).toContain('no longer wanted');
  });

  it('given that no device had its turn, then job-planner is told to stop, and all are CANCELLED at once', async () => {
    const devices = await running.devices(3);
    const id = await planner.rollOut(devices);
    await running.cancel(id, 'changed my mind');
    expect((await running.reached(id, 'CANCELLED')).reason).toBe('changed my mind');
    expect(planner.stopsOf(id)).toEqual(['changed my mind']);
    expect((await running.part(id, devices[0]!)).reason).toBe('changed my mind');
    await nothingIsOpen(id, devices[0]!, 'CANCELLED');
    await planner.over(id, 'changed my mind');
    await running.cancel(id, 'again');
    expect((await running.operation(id)).reason).toBe('changed my mind');
  });

  it('given devices in flight, then their commands are cancelled, and it ends when job-planner says how they did', async () => {
    const devices = await running.devices(3);
    const id = await planner.rollOut(devices);
    const items = await planner.begin(id, devices.slice(0, 2));
    await running.cancel(id);
    await vi.waitUntil(() => running.cancelled(id).length === 2);
    await vi.waitUntil(() => planner.stopsOf(id).length === 1);
    expect((await running.operation(id)).state).toBe('DISPATCHING');
    await running.partReached(id, devices[2]!, 'CANCELLED');
    await running.answer(id, items.slice(0, 1));
    await running.answer(id, items.slice(1), 'CANCELLED');
    for (const item of items) await planner.toldOf(id, item);
    await planner.end(id, items.slice(0, 1), 'succeeded');
    await planner.end(id, items.slice(1), 'cancelled', 'was cancelled');
    await planner.over(id, 'no longer wanted');
    await nothingIsOpen(id, devices[1]!, 'CANCELLED');
    expect((await running.part(id, devices[0]!)).state).toBe('SUCCESS');
    expect(planner.stopsOf(id)).toHaveLength(1);
  });

  it('given a turn whose command is asked for again after the cancel, then its cancel is', async () => {
    const devices = await running.devices(1);
    const id = await planner.rollOut(devices);
    const [turn] = await planner.turns(id);
    await planner.request(id, [turn!]);
    const items = await planner.askedFor(id, [turn!]);
    await running.cancel(id);
    await vi.waitUntil(() => running.cancelled(id).length === 1);
    await planner.request(id, [turn!]);
    await vi.waitUntil(() => running.cancelled(id).length === 2);
    expect(new Set(running.cancelled(id))).toEqual(new Set([turn!.command_id]));
    const again = { ...turn!, command_id: uuid(), turn: 2 };
    await planner.request(id, [again]);
    expect(await planner.endedOf(id, again)).toMatchObject({ end: 'cancelled' });
    expect(running.requests.filter((batch) => batch.head.request_id === id)).toHaveLength(1);
    await obeyStop(id, items);
    await nothingIsOpen(id, devices[0]!, 'CANCELLED');
  });

  it('given that its time is up, then what is open is TIMEOUT, and job-planner is told to stop', async () => {
    const devices = await running.devices(2);
    const id = await planner.rollOut(devices);
    const items = await planner.begin(id, devices.slice(0, 1));
    await running.state.query(`UPDATE operation SET deadline = now(), wake_at = now() WHERE id = $1`, [id]);
    await vi.waitUntil(() => running.cancelled(id).length === 1);
    await obeyStop(id, items);
    await nothingIsOpen(id, devices[0]!, 'TIMEOUT');
    expect(planner.stopsOf(id)).toEqual(['its time was up']);
    for (const device of devices) expect((await running.part(id, device)).state).toBe('TIMEOUT');
  });

  it('given what job-planner wants cancelled, then command-dispatcher is asked for it in its words', async () => {
    const devices = await running.devices(2);
    const id = await planner.rollOut(devices);
    const items = await planner.begin(id);
    await planner.cancel(id, items.slice(0, 1), true);
    await planner.cancel(id, items.slice(1));
    await vi.waitUntil(() => running.cancelled(id).length === 2);
    const heads = running.cancels.filter(({ head }) => head.request_id === id).map(({ head }) => head);
    const head = {
      request_id: id,
      reason: 'the planner says so',
      reply_to: 'muster.work.device-state.operation_outcome',
    };
    expect(heads).toEqual([{ ...head, waiting_only: true }, head]);
    for (const device of devices) expect((await running.part(id, device)).state).toBe('INITIATED');
    await running.exact(id);
  });
});

describe('the cancel of one device', () => {
  it('given that its turn has not come, then it is CANCELLED at once, and its turn is answered so', async () => {
    const devices = await running.devices(2);
    const id = await planner.rollOut(devices);
    const turns = await planner.turns(id);
    expect((await running.cancelDevice(id, turns[0]!.device_id)).state).toBe('CANCELLED');
    expect(await planner.endedOf(id, turns[0]!)).toMatchObject({ end: 'cancelled', reason: 'not this' });
    await planner.request(id, turns);
    const [item] = await planner.askedFor(id, turns.slice(1));
    expect(await planner.endedOf(id, turns[0]!)).toMatchObject({ end: 'cancelled' });
    await planner.end(id, turns.slice(0, 1), 'cancelled', 'it had ended before its turn');
    await running.answer(id, [item!]);
    await planner.end(id, turns.slice(1), 'succeeded');
    await planner.over(id);
    expect((await running.reached(id, 'FAILURE')).reason).toBe('1 of 2 devices did not succeed');
    expect((await running.part(id, turns[0]!.device_id)).reason).toBe('not this');
    await running.exact(id);
  });

  it('given that its command is under way, then that is cancelled, and it ends by what job-planner makes of it', async () => {
    const devices = await running.devices(2);
    const id = await planner.rollOut(devices);
    const items = await planner.begin(id);
    expect((await running.cancelDevice(id, items[0]!.device_id)).state).toBe('INITIATED');
    await running.cancelDevice(id, items[0]!.device_id);
    await vi.waitUntil(() => running.cancelled(id).length === 1);
    expect(running.cancelled(id)).toEqual([items[0]!.command_id]);
    await running.answer(id, items.slice(0, 1), 'CANCELLED');
    expect(await planner.toldOf(id, items[0]!)).toMatchObject({ status: 'CANCELLED' });
    await planner.end(id, items.slice(0, 1), 'cancelled', 'was cancelled');
    await running.partReached(id, items[0]!.device_id, 'CANCELLED');
    await planner.end(id, items.slice(1), 'succeeded');
    await planner.over(id);
    await running.reached(id, 'FAILURE');
    expect(planner.stopsOf(id)).toEqual([]);
    await running.exact(id);
  });

  it('given that it waits for another try, then job-planner hears so, and that try is answered as cancelled', async () => {
    const devices = await running.devices(1);
    const id = await planner.rollOut(devices);
    const [first] = await planner.begin(id);
    await running.answer(id, [first!], 'FAILURE', 'busy');
    await planner.toldOf(id, first!);
    await running.cancelDevice(id, devices[0]!);
    await vi.waitUntil(() => running.cancelled(id).length === 1);
    // command-dispatcher tells once more what the command came to.
    await running.answer(id, [first!], 'FAILURE', 'busy');
    expect(await planner.endedOf(id, first!)).toMatchObject({ end: 'cancelled', reason: 'cancelled' });
    const again = { ...first!, command_id: uuid(), turn: 2 };
    await planner.request(id, [again]);
    await expect.poll(() => planner.endedOf(id, again)).toMatchObject({ reason: 'it had ended before its turn' });
    await planner.end(id, [again], 'cancelled', 'was cancelled');
    await running.partReached(id, devices[0]!, 'CANCELLED');
    expect(running.asked(id)).toHaveLength(1);
    await running.exact(id);
  });

  it('given that all that are left are cancelled so, then the rollout, which waits for an approval, is stopped, and the others count', async () => {
    const devices = await running.devices(3);
    const rollout: Rollout = { waves: [{ count: 1 }, { approval: true }] };
    const id = await planner.rollOut(devices, {}, rollout);
    const items = await planner.begin(id, devices.slice(0, 1));
    await running.answer(id, items);
    await planner.end(id, items, 'succeeded');
    for (const device of devices.slice(1)) await running.cancelDevice(id, device);
    await running.reached(id, 'PROCESSING');
    await planner.look(id);
    await vi.waitUntil(() => planner.stopsOf(id).length > 0);
    await planner.over(id, planner.stopsOf(id)[0]);
    expect((await running.reached(id, 'FAILURE')).reason).toBe('2 of 3 devices did not succeed');
    await running.exact(id);
  });
});

describe('what a service reports of a device of a rollout', () => {
  const report = (
    operation_id: string,
    device_id: string,
    operation_type: string,
    state: DeviceOperationReport['state'],
  ) =>
    running.state.call(operations.reportDeviceOperation, {
      project_id: PROJECT,
      operation_id,
      device_id,
      report: { operation_type, state, service_id: 'drift-service', reason: 'seen' },
    });
  const begun = async (operation = 'REBOOT') => {
    const [device] = await running.devices(1, { desired: { v: 2 } });
    running.report(device!, { v: 1 });
    await running.until(
      () => running.state.device(PROJECT, device!),
      (now) => now.reported['v'] === 1,
    );
    const id = await planner.rollOut([device!], { operation });
    return { id, device: device!, items: await planner.turns(id) };
  };

  it.each(['SUCCESS', 'FAILURE', 'TIMEOUT', 'CANCELLED'] as const)(
    'given %s while its command is under way, then it is so, job-planner hears it, and the command is cancelled',
    async (state) => {
      const { id, device, items } = await begun();
      await planner.request(id, items);
      await running.step(id, await planner.askedFor(id, items), 'INITIATED');
      await running.partReached(id, device, 'DISPATCHED');
      expect(await report(id, device, 'REBOOT', state)).toMatchObject({ state, reason: 'drift-service: seen' });
      expect(await planner.endedOf(id, items[0]!)).toMatchObject({ end: WORDS[state], reason: 'drift-service: seen' });
      await vi.waitUntil(() => running.cancelled(id).length === 1);
      await planner.end(id, items, 'cancelled', 'too late');
      await planner.over(id);
      await running.reached(id, state === 'SUCCESS' ? 'SUCCESS' : 'FAILURE');
      expect((await running.part(id, device)).reason).toBe('drift-service: seen');
      await running.exact(id);
    },
  );

  it('given the success of a device whose turn has not come, then its turn is answered with it', async () => {
    const { id, device, items } = await begun();
    await report(id, device, 'REBOOT', 'SUCCESS');
    await planner.request(id, items);
    expect(await planner.endedOf(id, items[0]!)).toMatchObject({ end: 'succeeded' });
    await planner.end(id, items, 'succeeded');
    await planner.over(id);
    await running.reached(id, 'SUCCESS');
    expect(running.asked(id)).toEqual([]);
    await running.exact(id);
  });

  it('given COMPLETED of a CONVERGE under way, then the proof decides, and not the cancel of its command', async () => {
    const { id, device, items } = await begun('CONVERGE');
    await planner.request(id, items);
    const asked = await planner.askedFor(id, items);
    expect((await report(id, device, 'CONVERGE', 'COMPLETED')).state).toBe('COMPLETED');
    await vi.waitUntil(() => running.cancelled(id).length === 1);
    await running.answer(id, asked, 'CANCELLED');
    running.report(device, { v: 2 });
    expect(await planner.toldOf(id, items[0]!)).toMatchObject({ status: 'SUCCESS' });
    await planner.end(id, items, 'succeeded');
    await planner.over(id);
    await running.reached(id, 'SUCCESS');
    expect(planner.told(id).map(({ status }) => status)).toEqual(['SUCCESS']);
    await running.exact(id);
  });

  it('given COMPLETED of a CONVERGE before its turn, then its turn is answered once it is proved', async () => {
    const { id, device, items } = await begun('CONVERGE');
    expect((await report(id, device, 'CONVERGE', 'COMPLETED')).state).toBe('COMPLETED');
    await planner.request(id, items);
    running.report(device, { v: 2 });
    expect(await planner.toldOf(id, items[0]!)).toMatchObject({ status: 'SUCCESS' });
    await planner.end(id, items, 'succeeded');
    await planner.over(id);
    await running.reached(id, 'SUCCESS');
    expect(running.asked(id)).toEqual([]);
    await running.exact(id);
  });

  it('given COMPLETED of a CONVERGE before its turn that nothing proves, then it fails as one that was never sent anything', async () => {
    const { id, device, items } = await begun('CONVERGE');
    await report(id, device, 'CONVERGE', 'COMPLETED');
    await running.state.query(`UPDATE device_operation SET due_at = now() WHERE operation_id = $1`, [id]);
    await planner.request(id, items);
    await running.state.query(`UPDATE device_operation SET due_at = now() WHERE operation_id = $1`, [id]);
    expect(await planner.toldOf(id, items[0]!)).toMatchObject({ status: 'FAILURE', shown: false });
    await planner.end(id, items, 'unknown', 'the report does not show it: v');
    await planner.over(id);
    await running.reached(id, 'FAILURE');
    expect(await running.counts(id)).toMatchObject({ dispatch_failed_count: 1, failed_device_count: 0 });
    await running.exact(id);
  });
});
