import { deviceState, operations, type JsonObject } from '@muster/contracts';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PresenceChannels } from '../presence/presence.channels.js';
import { PROJECT, RunningOperations } from '../testing/running-operations.js';
import { DeviceOperationStore } from './device-operation.store.js';

let running: RunningOperations;

beforeAll(async () => {
  running = await RunningOperations.start();
});
afterAll(() => running.stop());

/** A device that should be `desired` and has reported `reported`. */
async function device(desired: Record<string, unknown>, reported: Record<string, unknown>): Promise<string> {
  const [id] = await running.devices(1, { desired });
  running.report(id!, reported);
  await running.until(
    () => running.state.device(PROJECT, id!),
    (one) => isDeepStrictEqual(one.reported, reported),
  );
  return id!;
}

const reported = async (id: string, what: Record<string, unknown>) => {
  const before = await running.state.device(PROJECT, id);
  running.report(id, what);
  await running.until(
    () => running.state.device(PROJECT, id),
    (one) => one.updated_at !== before.updated_at,
  );
};

const converge = (ids: readonly string[], converge_with_provision?: boolean) =>
  running.create(ids, {
    operation: 'CONVERGE',
    ...(converge_with_provision !== undefined && { arguments: { converge_with_provision } }),
  });

const statesOf = async (id: string, device_id: string) =>
  (await running.part(id, device_id)).device_operation_activity.map((one) => one.device_operation_state);

/** The time for the proof is over. */
const overdue = (id: string) =>
  running.state.query(`UPDATE device_operation SET due_at = now() WHERE operation_id = $1`, [id]);

/** Has a device's reports, each with the time (epoch ms) at which the bus took it, read in one batch. */
const readTogether = (device_id: string, ...reports: readonly (readonly [number, JsonObject])[]) =>
  running.state.service.get(PresenceChannels).report(
    reports.map(([at, what], place) => ({
      project_id: PROJECT,
      device_id,
      payload: { reported: what },
      traceparent: undefined,
      at,
      sequence: 1_000_000 + place,
    })),
  );

const WHOLE = ['CREATED', 'INITIATED', 'DISPATCHED', 'PROCESSING', 'COMPLETED', 'SUCCESS'];

describe('a CONVERGE', () => {
  it('given a device that differs, then it is sent the difference alone, and succeeds by the report that shows it', async () => {
    const one = await device({ v: 2, net: { mtu: 9000, dns: 'a' } }, { v: 1, net: { mtu: 9000, dns: 'b' }, uptime: 5 });
    const id = await converge([one]);
    const items = await running.askedFor(id, 1);
    expect(items[0]!.args).toEqual({ desired: { v: 2, net: { dns: 'a' } } });
    expect(running.requests.find(({ head }) => head.request_id === id)!.head).toMatchObject({
      command: 'CONVERGE',
      args: { provision: false },
    });
    await running.answer(id, items);
    const waiting = await running.partReached(id, one, 'COMPLETED');
    await running.reached(id, 'PROCESSING');
    running.report(one, { v: 2 });
    await running.until(
      () => running.state.device(PROJECT, one),
      (now) => now.reported['v'] === 2,
    );
    expect((await running.part(id, one)).updated_at).toBe(waiting.updated_at);
    running.report(one, { net: { dns: 'a' } });
    await running.reached(id, 'SUCCESS');
    expect(await statesOf(id, one)).toEqual(WHOLE);
    await running.exact(id);
  });

  it('given a report that comes before the success, then that is proof enough', async () => {
    const one = await device({ v: 2 }, { v: 1 });
    const id = await converge([one]);
    const items = await running.askedFor(id, 1);
    await reported(one, { v: 2 });
    await running.answer(id, items);
    await running.reached(id, 'SUCCESS');
    expect(await statesOf(id, one)).toEqual(WHOLE);
  });

  it('given a device that shows it and then drifts, before its success is known, then that it was shown is proof', async () => {
    const one = await device({ v: 2, more: 1 }, { v: 1 });
    const id = await converge([one]);
    const items = await running.askedFor(id, 1);
    await reported(one, { v: 2 });
    await reported(one, { v: 3 });
    await running.answer(id, items);
    await running.reached(id, 'SUCCESS');
    expect(await statesOf(id, one)).toEqual(WHOLE);

    // It proves what was asked before it alone.
    const later = await converge([one]);
    await running.answer(later, await running.askedFor(later, 1));
    await running.partReached(later, one, 'COMPLETED');
    await reported(one, { v: 4 });
    await overdue(later);
    await running.reached(later, 'FAILURE');
  });

  it('given that both are read together, then it is proof all the same, and the device has drifted', async () => {
    const one = await device({ v: 2 }, { v: 1 });
    const id = await converge([one]);
    const items = await running.askedFor(id, 1);
    await readTogether(one, [Date.now(), { v: 2 }], [Date.now(), { v: 3 }]);
    expect((await running.state.device(PROJECT, one)).drifted).toBe(true);
    await running.answer(id, items);
    await running.reached(id, 'SUCCESS');
  });

  it('given a success that is known before, then what is shown for a moment while its proof is awaited is proof', async () => {
    const one = await device({ v: 2 }, { v: 1 });
    const id = await converge([one]);
    await running.answer(id, await running.askedFor(id, 1));
    await running.partReached(id, one, 'COMPLETED');
    await readTogether(one, [Date.now(), { v: 2 }], [Date.now(), { v: 3 }]);
    await running.reached(id, 'SUCCESS');
  });

  it('given a report from before it was asked, read late, then that it was shown proves nothing', async () => {
    const one = await device({ v: 2 }, { v: 1 });
    const before = Date.now();
    const id = await converge([one]);
    const items = await running.askedFor(id, 1);
    await readTogether(one, [before, { v: 2 }], [Date.now(), { v: 3 }]);
    await running.answer(id, items);
    await running.partReached(id, one, 'COMPLETED');
    await overdue(id);
    await running.reached(id, 'FAILURE');
    expect((await running.part(id, one)).reason).toBe('the report does not show it: v');
  });

  it('given success and report at the same time, many times over, then each is proved within moments', async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, () => device({ v: 2 }, { v: 1 })));
    const id = await converge(ids);
    const items = await running.askedFor(id, 20);
    await Promise.all(
      items.map((item) => {
        running.report(item.device_id, { v: 2 });
        return running.answer(id, [item]);
      }),
    );
    await running.reached(id, 'SUCCESS');
    await running.exact(id);
  });

  it('given what the device does not report at all, then it is sent only where that is to be provisioned', async () => {
    const one = await device({ v: 2, extra: { a: 1 } }, { v: 1 });
    const plain = await converge([one]);
    expect((await running.askedFor(plain, 1))[0]!.args).toEqual({ desired: { v: 2 } });
    await running.cancel(plain);
    const all = await converge([one], true);
    expect((await running.askedFor(all, 1))[0]!.args).toEqual({ desired: { v: 2, extra: { a: 1 } } });
    expect(running.requests.find(({ head }) => head.request_id === all)!.head.args).toEqual({ provision: true });
    await running.answer(all, running.asked(all));
    await reported(one, { v: 2, extra: { a: 1 } });
    await running.reached(all, 'SUCCESS');
  });

  it('given what is left because it is not to be provisioned, then the reason of the success names it', async () => {
    const lacking = await device({ v: 1, extra: { a: 1 } }, { v: 1 });
    const behind = await device({ v: 1, net: { mtu: 9000, dns: 'a' } }, { v: 0, net: { mtu: 9000 } });
    const id = await converge([lacking, behind]);
    await running.answer(id, await running.askedFor(id, 1));
    await reported(behind, { v: 1 });
    await running.reached(id, 'SUCCESS');
    expect((await running.part(id, lacking)).reason).toBe('already converged; not provisioned: extra.a');
    expect((await running.part(id, behind)).reason).toBe('not provisioned: net.dns');
  });

  it('given a device that is as it should be, then it needs no command and counts as no dispatch', async () => {
    const ready = await device({ v: 1 }, { v: 1, more: true });
    const behind = await device({ v: 1 }, { v: 0 });
    const id = await converge([ready, behind]);
    const [item] = await running.askedFor(id, 1);
    expect(item!.device_id).toBe(behind);
    const part = await running.partReached(id, ready, 'SUCCESS');
    expect(part.reason).toBe('already converged');
    expect(await statesOf(id, ready)).toEqual(['CREATED', 'COMPLETED', 'SUCCESS']);
    await reported(behind, { v: 1 });
    await running.answer(id, [item!]);
    await running.reached(id, 'SUCCESS');
    expect(await running.counts(id)).toMatchObject({ dispatched_device_count: 1, success_device_count: 2 });
    await running.exact(id);
  });

  it('given no proof in time, then it fails and names what the report does not show', async () => {
    const one = await device({ v: 2, net: { mtu: 9000 } }, { v: 1, net: { mtu: 1500 } });
    const id = await converge([one]);
    await running.answer(id, await running.askedFor(id, 1));
    await running.partReached(id, one, 'COMPLETED');
    await reported(one, { v: 2 });
    await overdue(id);
    await running.reached(id, 'FAILURE');
    expect((await running.part(id, one)).reason).toBe('the report does not show it: net.mtu');
    expect(await running.counts(id)).toMatchObject({ dispatched_device_count: 1, failed_device_count: 1 });
    await running.exact(id);
  });

  it('given a proof that nobody looked at in time, then it counts all the same', async () => {
    const one = await device({ v: 2 }, { v: 1 });
    const id = await converge([one]);
    await running.answer(id, await running.askedFor(id, 1));
    await running.partReached(id, one, 'COMPLETED');
    await running.state.query(`UPDATE device SET reported = '{"v":2}' WHERE id = $1`, [one]);
    await overdue(id);
    await running.reached(id, 'SUCCESS');
  });

  it('given a device that fails, or was never reached, then no proof is awaited', async () => {
    const one = await device({ v: 2 }, { v: 1 });
    const id = await converge([one]);
    await running.answer(id, await running.askedFor(id, 1), 'FAILURE', 'exit_1');
    await running.reached(id, 'FAILURE');
    expect((await running.part(id, one)).reason).toBe('exit_1');
  });

  it('given a cancel while the proof is awaited, then the proof decides and the operation is CANCELLED', async () => {
    const one = await device({ v: 2 }, { v: 1 });
    const id = await converge([one]);
    await running.answer(id, await running.askedFor(id, 1));
    await running.partReached(id, one, 'COMPLETED');
    await running.cancel(id);
    await reported(one, { v: 2 });
    await running.reached(id, 'CANCELLED');
    expect(await statesOf(id, one)).toEqual(WHOLE);
    expect(running.cancelled(id)).toEqual([]);
    await running.exact(id);
  });

  it('given a desired state that changes after the command was asked, then what was asked is what is proved', async () => {
    const one = await device({ v: 2 }, { v: 1 });
    const id = await converge([one]);
    const items = await running.askedFor(id, 1);
    await running.state.call(deviceState.patchDevice, { project_id: PROJECT, id: one, patch: { desired: { v: 3 } } });
    await reported(one, { v: 2 });
    await running.answer(id, items);
    await running.reached(id, 'SUCCESS');
  });

  it('given large documents, then they are compared in portions and every device is asked', async () => {
    const ids = await running.devices(60, { desired: { blob: 'x'.repeat(100), v: 2 } });
    await running.state.query(
      `UPDATE device SET desired = desired || jsonb_build_object('big', (SELECT string_agg(md5(i::text || id::text), '') FROM generate_series(1, 6000) i))
       WHERE id = ANY($1)`,
      [ids],
    );
    const id = await converge(ids, true);
    const items = await running.askedFor(id, 60);
    expect(new Set(items.map(({ device_id }) => device_id)).size).toBe(60);
    await running.cancel(id);
  });
});

it('given large documents that lie small in the table, then neither the first ask nor the next holds many of them at once', async () => {
  const store = running.state.service.get(DeviceOperationStore);
  const asks = [vi.spyOn(store, 'undispatched'), vi.spyOn(store, 'claimSilent')];
  const mostBytes = async (ask: (typeof asks)[number]) => {
    const sizes = ask.mock.results.map(async ({ value }) => JSON.stringify(await value).length);
    return Math.max(...(await Promise.all(sizes)));
  };
  const ids = await running.devices(40);
  await running.state.query(
    `UPDATE device SET desired = jsonb_build_object('blob', repeat('x', 200000)) WHERE id = ANY($1)`,
    [ids],
  );
  const id = await converge(ids, true);
  await running.askedFor(id, 40);
  const batches = running.requests.length;
  await running.state.query(`UPDATE device_operation SET ask_at = now() WHERE operation_id = $1`, [id]);
  await running.state.query(`UPDATE operation SET wake_at = now() WHERE id = $1`, [id]);
  await vi.waitUntil(() => running.requests.slice(batches).flatMap(({ items }) => items).length >= 40, {
    timeout: 15_000,
  });
  for (const ask of asks) {
    expect(await mostBytes(ask)).toBeLessThan(5 * 1024 * 1024);
    ask.mockRestore();
  }
  await running.cancel(id);
});

describe('what a service reports', () => {
  const report = (operation_id: string, device_id: string, state: string, change: object = {}) =>
    running.state.call(operations.reportDeviceOperation, {
      project_id: PROJECT,
      operation_id,
      device_id,
      report: {
        operation_type: 'CONVERGE',
        state: state as 'SUCCESS',
        service_id: 'drift-service',
        reason: 'test',
        ...change,
      },
    });

  it('given a success, then it is one, told by whom and why, and the command under way is cancelled', async () => {
    const one = await device({ v: 2 }, { v: 1 });
    const id = await converge([one]);
    const [item] = await running.askedFor(id, 1);
    expect(await report(id, one, 'SUCCESS')).toMatchObject({ state: 'SUCCESS', reason: 'drift-service: test' });
    await running.reached(id, 'SUCCESS');
    await vi.waitUntil(() => running.cancelled(id).includes(item!.command_id));
    await running.answer(id, [item!], 'CANCELLED');
    expect(await report(id, one, 'SUCCESS')).toMatchObject({ state: 'SUCCESS' });
    await expect(report(id, one, 'FAILURE')).rejects.toMatchObject({ kind: 'invalid' });
    await running.exact(id);
  });

  it('given a command that is sent after that all the same, then its cancel was lost, and is asked for again', async () => {
    const one = await device({ v: 2 }, { v: 1 });
    const id = await converge([one]);
    const items = await running.askedFor(id, 1);
    await report(id, one, 'SUCCESS');
    await vi.waitUntil(() => running.cancelled(id).length === 1);
    await running.step(id, items, 'INITIATED');
    await vi.waitUntil(() => running.cancelled(id).length === 2);
    expect(new Set(running.cancelled(id))).toEqual(new Set([items[0]!.command_id]));
    expect(await running.part(id, one)).toMatchObject({ state: 'SUCCESS', reason: 'drift-service: test' });
  });

  it('given states on the way, then forward is taken, backward is refused, and the device may still end it', async () => {
    const one = await device({ v: 2 }, { v: 1 });
    const id = await converge([one]);
    const items = await running.askedFor(id, 1);
    expect((await report(id, one, 'PROCESSING')).state).toBe('PROCESSING');
    await expect(report(id, one, 'DISPATCHED')).rejects.toMatchObject({
      kind: 'invalid',
      message: 'state: DISPATCHED does not lie ahead of PROCESSING',
    });
    await expect(report(id, one, 'SUCCESS', { operation_type: 'REBOOT' })).rejects.toMatchObject({
      kind: 'invalid',
      message: 'operation_type: the operation is a CONVERGE',
    });
    await reported(one, { v: 2 });
    await running.answer(id, items);
    await running.reached(id, 'SUCCESS');
    await running.exact(id);
  });

  it('given COMPLETED, then the proof is awaited as after a command', async () => {
    const one = await device({ v: 2 }, { v: 1 });
    const id = await converge([one]);
    await running.askedFor(id, 1);
    expect((await report(id, one, 'COMPLETED')).state).toBe('COMPLETED');
    await reported(one, { v: 2 });
    await running.reached(id, 'SUCCESS');
  });
});
