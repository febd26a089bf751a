import type { Device, DeviceOperation } from '@muster/contracts';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Stack } from '../harness/stack.js';
import { byEntity, gaps, readEvents } from './events.js';
import { OperationsClient, type Counts } from './operations.js';

const DEVICES = 2_000;
const AWAY = DEVICES / 10;
const CONVERGE = { operation: 'CONVERGE', arguments: { converge_with_provision: true } };
const WAY = ['CREATED', 'INITIATED', 'DISPATCHED', 'PROCESSING', 'COMPLETED', 'SUCCESS'];

let stack: Stack;
let client: OperationsClient;

beforeAll(async () => {
  stack = await Stack.start();
  client = new OperationsClient(stack);
});
afterAll(() => stack?.stop());

const statesOf = (part: DeviceOperation) =>
  part.device_operation_activity.map(({ device_operation_state }) => device_operation_state);

const inOrder = (times: readonly string[]) => times.every((time, at) => at === 0 || times[at - 1]! <= time);

/** What is wrong with a reading of the counts that follows another. */
function faults(before: Counts | undefined, now: Counts): string[] {
  const { resolved_device_count: resolved, dispatched_device_count: dispatched, dispatch_failed_count: unsent } = now;
  const ended = unsent + now.failed_device_count + now.success_device_count;
  return [
    ended > resolved && 'more have ended than there are',
    dispatched > resolved && 'more were sent than there are',
    now.success_device_count > dispatched && 'more succeeded than were sent',
    before && Object.keys(now).some((name) => now[name as keyof Counts] < before[name as keyof Counts]) && 'went down',
  ].filter((fault) => typeof fault === 'string');
}

describe('a CONVERGE over 2,000 devices of a query, of which a tenth is away', () => {
  it('given counts that are read all the time, then each reading is right, the rest converges when it comes back, and every step was told', async () => {
    const desired = { region: 'eu', app: { version: 2 } };
    const device = { desired, tags: ['converge'] };
    // Registered by a fleet of which nobody is there; one of the same names comes later.
    const away = await client.deviceFile('away', AWAY, device);
    const absent = await stack.fleet(['--devices-from', away, '--offline-rate', '1']);
    absent.kill('SIGTERM');
    await stack.fleet(['--devices-from', await client.deviceFile('here', DEVICES - AWAY, device)]);

    const id = await client.create({ ...CONVERGE, operation_device_query: { tags: ['converge'] } });
    const readings: Counts[] = [];
    const wrong: unknown[] = [];
    const read = async () => {
      const { operation_stats, operation_activity } = await client.get(id);
      const now = operation_stats.device_operation_statuses_count;
      const found = faults(readings.at(-1), now);
      const isResolved = operation_activity.some(({ operation_state }) => operation_state === 'RESOLVED');
      if (isResolved && now.resolved_device_count !== DEVICES) found.push('not all are resolved');
      if (found.length > 0) wrong.push({ found, now, before: readings.at(-1) });
      readings.push(now);
      return now.success_device_count;
    };
    await expect.poll(read, { timeout: 40_000, interval: 50 }).toBe(DEVICES - AWAY);
    expect(await client.get(id)).toMatchObject({ state: 'PROCESSING' });
    expect(new Set((await client.parts(id)).map(({ state }) => state))).toEqual(new Set(['SUCCESS', 'INITIATED']));

    await stack.fleet(['--devices-from', away]);
    await expect.poll(read, { timeout: 40_000, interval: 50 }).toBe(DEVICES);
    expect(wrong).toEqual([]);
    expect(new Set(readings.map(({ success_device_count }) => success_device_count)).size).toBeGreaterThan(5);

    const ended = await client.reached(id, 'SUCCESS');
    const operationWay = ended.operation_activity.map(({ operation_state }) => operation_state);
    expect(operationWay.join()).toBe('CREATED,RESOLVING,RESOLVED,DISPATCHING,DISPATCHED,PROCESSING,COMPLETED,SUCCESS');
    const parts = await client.parts(id);
    expect(new Set(parts.map(({ device_id }) => device_id)).size).toBe(DEVICES);
    expect(ended.operation_stats.device_operation_statuses_count).toEqual({
      resolved_device_count: parts.length,
      dispatched_device_count: parts.filter((part) => statesOf(part).includes('DISPATCHED')).length,
      dispatch_failed_count: 0,
      failed_device_count: 0,
      success_device_count: parts.filter(({ state }) => state === 'SUCCESS').length,
    });
    expect(parts.filter((part) => statesOf(part).join() !== WAY.join())).toEqual([]);
    const times = (part: DeviceOperation) => part.device_operation_activity.map(({ created_at }) => created_at);
    expect(parts.filter((part) => !inOrder(times(part)))).toEqual([]);
    const { devices } = await client.ask<{ devices: Device[] }>('GET', '/api/v1/devices?tag=converge&limit=1000');
    expect(devices).toHaveLength(1_000);
    for (const { reported } of devices) expect(reported).toMatchObject(desired);

    const bus = await stack.events();
    const told = async () =>
      (await readEvents(bus, 'muster.evt.demo.device-operation.>')).filter(({ data }) => data['operation_id'] === id);
    await expect
      .poll(async () => (await told()).length, { timeout: 20_000 })
      .toBeGreaterThanOrEqual(DEVICES * WAY.length);
    const events = await told();
    expect(gaps(events)).toEqual([]);
    const ways = [...byEntity(events)].map(([, own]) => own.map(({ data }) => data.to).join());
    expect(ways).toHaveLength(DEVICES);
    expect(new Set(ways)).toEqual(new Set([WAY.join()]));
    const ofOperation = await readEvents(bus, `muster.evt.demo.operation.*.${id}`);
    expect(gaps(ofOperation)).toEqual([]);
    expect(
      byEntity(ofOperation)
        .get(id)!
        .map(({ data }) => data.to),
    ).toEqual(operationWay);
  });

  it('given devices that say they did it and did not, then they fail for want of a proof', async () => {
    const file = await client.deviceFile('liar', 5, { desired: { region: 'eu' } });
    await stack.fleet(['--devices-from', file, '--lying', '1']);
    const id = await client.create({ ...CONVERGE, operation_device_query: { name_prefix: 'liar' } });
    const inProof = async () => (await client.parts(id)).filter(({ state }) => state === 'COMPLETED').length;
    await expect.poll(inProof).toBe(5);
    // Time passes: the proof is due.
    const database = new pg.Client({ connectionString: (await stack.file()).postgres.url });
    await database.connect();
    await database.query(`UPDATE device_state.device_operation SET due_at = now() WHERE operation_id = $1`, [id]);
    await database.end();
    expect(await client.reached(id, 'FAILURE')).toMatchObject({
      reason: '5 of 5 devices did not succeed',
      operation_stats: { device_operation_statuses_count: { dispatched_device_count: 5, failed_device_count: 5 } },
    });
    expect(new Set((await client.parts(id)).map(({ state, reason }) => `${state}: ${reason}`))).toEqual(
      new Set(['FAILURE: the report does not show it: region']),
    );
  });
});
