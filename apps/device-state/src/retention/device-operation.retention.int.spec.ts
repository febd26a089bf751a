import { afterAll, beforeAll, expect, it } from 'vitest';
import { RunningOperations } from '../testing/running-operations.js';
import { DeviceOperationRetention } from './device-operation.retention.js';

const DAY_MS = 86_400_000;

let running: RunningOperations;

beforeAll(async () => {
  running = await RunningOperations.start();
});
afterAll(() => running.stop());

const rows = async (id: string) => {
  const found = await running.state.query(`SELECT id FROM device_operation WHERE operation_id = $1`, [id]);
  return found.length;
};
const cleanIn = async (days: number) => {
  while (await running.state.service.get(DeviceOperationRetention).step(Date.now() + days * DAY_MS));
};

it('given an operation that ended and one that is open, then after 30 days the parts of the first go, and no sooner', async () => {
  const devices = await running.devices(3);
  const ended = await running.create(devices);
  await running.answer(ended, await running.askedFor(ended, 3));
  const before = await running.reached(ended, 'SUCCESS');
  const open = await running.create(devices);
  await running.askedFor(open, 3);

  await cleanIn(29.9);
  expect([await rows(ended), await rows(open)]).toEqual([3, 3]);
  await cleanIn(30.1);
  expect([await rows(ended), await rows(open)]).toEqual([0, 3]);
  expect(await running.operation(ended)).toEqual(before);
  const gone = {
    kind: 'not_found',
    message: `the device operations of the operation were deleted on ${new Date().toISOString().slice(0, 10)}`,
  };
  await expect(running.parts(ended)).rejects.toMatchObject(gone);
  await expect(running.part(ended, devices[0]!)).rejects.toMatchObject(gone);
  await expect(running.cancelDevice(ended, devices[0]!)).rejects.toMatchObject(gone);
  expect((await running.parts(open)).count).toBe(3);
});
