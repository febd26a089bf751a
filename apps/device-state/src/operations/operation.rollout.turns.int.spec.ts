import { deviceState, operations } from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { DeviceOperationStore } from '../device-operations/device-operation.store.js';
import { PlannerOfTest } from '../testing/planner-of-test.js';
import { PROJECT, RunningOperations } from '../testing/running-operations.js';

let running: RunningOperations;
let planner: PlannerOfTest;

beforeAll(async () => {
  running = await RunningOperations.start();
  planner = new PlannerOfTest(running);
  await running.state.service.connection.flush();
});
afterAll(() => running.stop());

/** A device that is to be at version 2 and reports 1. */
async function behind(): Promise<string> {
  const [device] = await running.devices(1, { desired: { v: 2 } });
  running.report(device!, { v: 1 });
  await running.until(
    () => running.state.device(PROJECT, device!),
    (now) => now.reported['v'] === 1,
  );
  return device!;
}

describe('another try of a CONVERGE', () => {
  it('given that something else is desired by then, then it is asked for that, and what was shown before proves nothing', async () => {
    const device = await behind();
    const id = await planner.rollOut([device], { operation: 'CONVERGE' });
    const [first] = await planner.begin(id);
    expect(first!.args).toEqual({ desired: { v: 2 } });
    running.report(device, { v: 2 });
    await running.until(
      () => running.state.device(PROJECT, device),
      (now) => now.reported['v'] === 2,
    );
    await running.answer(id, [first!], 'FAILURE', 'exit_1');
    await planner.toldOf(id, first!);
    await running.state.call(deviceState.patchDevice, {
      project_id: PROJECT,
      id: device,
      patch: { desired: { v: 3 } },
    });
    const again = { ...first!, command_id: uuid(), turn: 2 };
    await planner.request(id, [again]);
    const [second] = await planner.askedFor(id, [again]);
    expect(second!.args).toEqual({ desired: { v: 3 } });
    await running.answer(id, [second!]);
    await running.partReached(id, device, 'COMPLETED');
    expect(planner.told(id).map(({ status }) => status)).toEqual(['FAILURE']);
    running.report(device, { v: 3 });
    expect(await planner.toldOf(id, again)).toMatchObject({ status: 'SUCCESS' });
  });
});

it('given large documents that lie small in the table, then neither the turn nor the proof of a CONVERGE holds many of them at once', async () => {
  const store = running.state.service.get(DeviceOperationStore);
  const reads = [vi.spyOn(store, 'turns'), vi.spyOn(store, 'unproven')];
  const devices = await running.devices(40);
  const set = (column: 'desired' | 'reported') =>
    running.state.query(
      `UPDATE device SET ${column} = jsonb_build_object('blob', repeat('x', 200000)) WHERE id = ANY($1)`,
      [devices],
    );
  await set('desired');
  const id = await planner.rollOut(devices, { operation: 'CONVERGE', arguments: { converge_with_provision: true } });
  const items = await planner.begin(id);
  await set('reported');
  await running.answer(id, items);
  for (const item of items) expect(await planner.toldOf(id, item)).toMatchObject({ status: 'SUCCESS' });
  for (const read of reads) {
    const sizes = read.mock.results.map(async ({ value }) => JSON.stringify(await value).length);
    expect(Math.max(...(await Promise.all(sizes)))).toBeLessThan(5 * 1024 * 1024);
    read.mockRestore();
  }
  await planner.end(id, items, 'succeeded');
  await planner.over(id);
  await running.reached(id, 'SUCCESS');
});

describe('the turn of a device that a service works on', () => {
  it('given its word before the turn, then nothing is asked of the device, and the service says how it ends', async () => {
    const device = await behind();
    const id = await planner.rollOut([device]);
    const items = await planner.turns(id);
    const report = (state: 'PROCESSING' | 'SUCCESS') =>
      running.state.call(operations.reportDeviceOperation, {
        project_id: PROJECT,
        operation_id: id,
        device_id: device,
        report: { operation_type: 'REBOOT', state, service_id: 'technician', reason: '' },
      });
    await report('PROCESSING');
    await planner.request(id, items);
    await report('SUCCESS');
    expect(await planner.endedOf(id, items[0]!)).toMatchObject({ end: 'succeeded', reason: 'technician' });
    await planner.over(id);
    await running.reached(id, 'SUCCESS');
    expect(running.asked(id)).toEqual([]);
    await running.exact(id);
  });
});

it('given a rollout that waits for offline devices or for other tries alone, then so do the operation and its devices', async () => {
  const id = await planner.rollOut([await behind()]);
  const items = await planner.begin(id);
  await running.reached(id, 'DISPATCHED', 'PROCESSING');
  const words = () => Promise.all([id, items[0]!.ref].map((one) => running.waitsFor(one)));
  expect(await words()).toEqual(['in_flight', 'in_flight']);
  await planner.waits(id, 'offline');
  await expect.poll(words).toEqual(['offline', 'offline']);
  await running.answer(id, items, 'FAILURE', 'busy');
  await planner.toldOf(id, items[0]!);
  await planner.waits(id, 'retry_at');
  await expect.poll(words).toEqual(['retry_at', 'retry_at']);
  await planner.waits(id, 'in_flight');
  await expect.poll(async () => (await words()).includes('retry_at')).toBe(false);
});

it('given a device between two tries and one that is away, then this one waits to be back, whatever its rollout waits for', async () => {
  const [away] = await running.devices(1);
  const id = await planner.rollOut([await behind(), away!]);
  const items = await planner.begin(id);
  const held = items.filter(({ device_id }) => device_id === away);
  const tried = items.filter(({ device_id }) => device_id !== away);
  await running.step(id, held, 'HELD');
  await running.answer(id, tried, 'FAILURE', 'busy');
  for (const item of tried) await planner.toldOf(id, item);
  const words = () => Promise.all([id, tried[0]!.ref, held[0]!.ref].map((one) => running.waitsFor(one)));
  await planner.waits(id, 'retry_at');
  await expect.poll(words).toEqual(['retry_at', 'retry_at', 'offline']);
  await planner.waits(id, 'in_flight');
  await expect.poll(async () => (await words())[0]).toBe('in_flight');
  expect((await words())[2]).toBe('offline');
});

it('given evidence for a CONVERGE, which its report proves, then it is refused', async () => {
  const device = await behind();
  const rollout = { evidence: { path: 'boot_id', equals: 'x' } };
  await expect(running.create([device], { operation: 'CONVERGE', rollout })).rejects.toMatchObject({
    kind: 'invalid',
    details: {
      errors: [{ field: 'rollout.evidence', message: 'a CONVERGE is proven by the report of what it changed' }],
    },
  });
});
