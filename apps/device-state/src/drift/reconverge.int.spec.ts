import {
  deviceState,
  drifts,
  operations,
  timelines,
  type Drift,
  type JsonObject,
  type NewOperation,
} from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PROJECT, RunningOperations } from '../testing/running-operations.js';
import { Reconverge } from './reconverge.js';
import { ReconvergeStore } from './reconverge.store.js';

let running: RunningOperations;
beforeAll(async () => {
  running = await RunningOperations.start();
});
afterAll(() => running?.stop());

const CONVERGE = { operation: 'CONVERGE', arguments: { converge_with_provision: true, reconverge: { max: 2 } } };

/** Answers the commands of an operation, and reports what they asked for. */
const carryOut = async (id: string, count: number) => {
  const asked = await running.askedFor(id, count);
  await running.answer(id, asked);
  for (const { device_id, args } of asked) running.report(device_id, args['desired'] as JsonObject);
  return running.reached(id, 'SUCCESS');
};

/** Devices of which an operation has made what is desired. */
const converged = async (count: number, operation: Partial<NewOperation> = {}) => {
  const devices = await running.devices(count, { desired: { v: 1 } });
  const id = await running.create(devices, { ...CONVERGE, ...operation });
  await carryOut(id, count);
  return { id, devices };
};

const driftOf = async (device: string): Promise<Drift | undefined> => {
  const { drifts: found } = await running.state.call(drifts.listDrifts, { project_id: PROJECT, limit: 1000 });
  return found.find(({ device_id }) => device_id === device);
};

/** Has devices drift, and then something happen, before any of them is looked at. */
const drift = async (devices: readonly string[], then: () => Promise<unknown> = () => Promise.resolve()) => {
  const sweep = vi.spyOn(running.state.service.get(ReconvergeStore), 'dueProjects').mockResolvedValue([]);
  for (const device of devices) running.report(device, { v: 9 });
  for (const device of devices)
    await running.until(
      () => driftOf(device),
      (found) => found?.state === 'DRIFTED',
    );
  await then();
  sweep.mockRestore();
};

/** Time passes: what waits to be looked at is due. */
const due = () => running.state.query(`UPDATE drift SET due_at = now() WHERE due_at IS NOT NULL`);

const desire = (id: string, desired: JsonObject) =>
  running.state.call(deviceState.patchDevice, { project_id: PROJECT, id, patch: { desired } });

/** The operations that converge again what drifted from another, the oldest first. */
const repetitions = (source: string) =>
  running.state.query<{ id: string; query: { ids: string[] }; arguments: JsonObject; purpose: string }>(
    `SELECT id, query, arguments, purpose FROM operation WHERE source_id = $1 ORDER BY id`,
    [source],
  );
const repeated = (source: string, times: number) =>
  running.until(
    () => repetitions(source),
    (found) => found.length >= times,
  );

describe('devices that drift from an operation that wants them converged again', () => {
  it('given several at once, then one operation over them is made, and it, its event and the drifts name one another', async () => {
    const { id, devices } = await converged(3);
    await drift(devices.slice(0, 2));
    await due();
    const [again] = await repeated(id, 1);
    expect(again).toMatchObject({
      arguments: { converge_with_provision: true },
      purpose: `converges again what drifted from operation ${id}`,
    });
    expect(again!.query.ids.toSorted()).toEqual(devices.slice(0, 2).toSorted());
    expect(await driftOf(devices[0]!)).toMatchObject({
      state: 'DRIFTED',
      reason: `converged again by operation ${again!.id}`,
      source_id: id,
      attempts: 1,
    });
    expect(await driftOf(devices[2]!)).toBeUndefined();
    await carryOut(again!.id, 2);
    await running.until(
      () => driftOf(devices[0]!),
      (found) => found?.state === 'RESOLVED',
    );
    await vi.waitFor(() =>
      expect(running.state.eventsOf(again!.id)[0]).toMatchObject({ to: 'CREATED', source_id: id }),
    );
    expect(running.state.eventsOf(id)[0]).toMatchObject({ source_id: null });
    const { entries } = await running.state.call(timelines['device-state'], {
      project_id: PROJECT,
      device_id: devices[0]!,
      limit: 100,
    });
    expect(entries.map(({ entity, reason }) => `${entity}: ${reason}`)).toContain(
      `drift: converged again by operation ${again!.id}`,
    );
  });

  it('given one that drifts before its success is known, then it was converged, and is converged again', async () => {
    const devices = await running.devices(1, { desired: { v: 1 } });
    const id = await running.create(devices, CONVERGE);
    const asked = await running.askedFor(id, 1);
    running.report(devices[0]!, { v: 1 });
    await drift(devices, () => running.answer(id, asked));
    await running.reached(id, 'SUCCESS');
    await due();
    const [again] = await repeated(id, 1);
    expect(await driftOf(devices[0]!)).toMatchObject({ state: 'DRIFTED', source_id: id, attempts: 1 });
    await carryOut(again!.id, 1);
    await running.until(
      () => driftOf(devices[0]!),
      (found) => found?.state === 'RESOLVED',
    );
  });

  it('given one that drifts again and again, then it is left alone after its last try, and that is said', async () => {
    const { id, devices } = await converged(1);
    for (const times of [1, 2]) {
      await drift(devices);
      await due();
      const again = (await repeated(id, times)).at(-1)!;
      await carryOut(again.id, 1);
      await running.until(
        () => driftOf(devices[0]!),
        (found) => found?.state === 'RESOLVED',
      );
    }
    await drift(devices);
    await due();
    const reason = `left alone: converged again 2 times in 86400 s for operation ${id}`;
    await running.until(
      () => driftOf(devices[0]!),
      (found) => found?.reason === reason,
    );
    expect(await driftOf(devices[0]!)).toMatchObject({ state: 'DRIFTED', attempts: 2 });
    expect(await repetitions(id)).toHaveLength(2);

    // The window is over: the next drift begins another.
    await running.state.query(`UPDATE drift SET window_start = now() - interval '1 day' WHERE source_id = $1`, [id]);
    running.report(devices[0]!, { v: 1 });
    await running.until(
      () => driftOf(devices[0]!),
      (found) => found?.state === 'RESOLVED',
    );
    await drift(devices);
    await due();
    await repeated(id, 3);
  });

  it('given a repetition that fails, then it is tried again, as often as it may be', async () => {
    const { id, devices } = await converged(1);
    await drift(devices);
    await due();
    for (const times of [1, 2]) {
      const again = (await repeated(id, times)).at(-1)!;
      // One that is under way is waited for.
      await due();
      await running.state.service.get(Reconverge).step();
      expect(await repetitions(id)).toHaveLength(times);
      await running.answer(again.id, await running.askedFor(again.id, 1), 'FAILURE');
      await running.reached(again.id, 'FAILURE');
      await due();
    }
    await running.until(
      () => driftOf(devices[0]!),
      (found) => found?.reason.startsWith('left alone') === true,
    );
    expect(await repetitions(id)).toHaveLength(2);
  });

  it('given that something else is desired meanwhile, then nothing is converged again', async () => {
    const { id, devices } = await converged(1);
    await drift(devices, () => desire(devices[0]!, { v: 2 }));
    expect(await driftOf(devices[0]!)).toMatchObject({ state: 'RESOLVED', reason: 'desired changed' });
    expect(
      await running.state.query(`SELECT id FROM drift WHERE device_id = $1 AND due_at IS NOT NULL`, devices),
    ).toEqual([]);
    await running.state.service.get(Reconverge).step();
    expect(await repetitions(id)).toEqual([]);
  });

  it('given an operation without the rule, or a later one without it, then its devices are left as they are', async () => {
    const { id, devices } = await converged(1);
    await desire(devices[0]!, { v: 2 });
    const later = await running.create(devices, { operation: 'CONVERGE' });
    await carryOut(later, 1);
    await drift(devices);
    await due();
    await running.until(
      () => running.state.query(`SELECT id FROM drift WHERE device_id = $1 AND due_at IS NULL`, devices),
      (found) => found.length === 1,
    );
    expect([await repetitions(id), await repetitions(later)]).toEqual([[], []]);
  });
});

describe('devices that drift from an operation with windows', () => {
  const HOUR_MS = 3_600_000;
  const inHours = (hours: number) => new Date(Date.now() + hours * HOUR_MS).toISOString();
  const OPEN = { schedule_type: 'WINDOW', schedule_args: { end_datetime: inHours(24) } } as const;
  /** As time passes: the windows that the operation had are no longer those that are to come. */
  const windows = (id: string, from: number, to: number) =>
    running.state.query(`UPDATE operation SET schedule_args = $2 WHERE id = $1`, [
      id,
      { start_datetime: inHours(from), end_datetime: inHours(to) },
    ]);

  it('given one that is open, then they are converged again in it, and no longer than it', async () => {
    const { id, devices } = await converged(1, OPEN);
    await drift(devices);
    await due();
    const [again] = await repeated(id, 1);
    await running.askedFor(again!.id, 1);
    expect(running.requests.find(({ head }) => head.request_id === again!.id)!.head.schedule).toEqual({
      schedule: 'WINDOW',
      args: OPEN.schedule_args,
      console_timezone: 'Europe/Paris',
    });
    expect(await running.operation(again!.id)).toMatchObject(OPEN);
    await carryOut(again!.id, 1);
    await running.until(
      () => driftOf(devices[0]!),
      (found) => found?.state === 'RESOLVED',
    );
  });

  it('given one that is still to open, then one repetition waits for it; cancelled, it is the last', async () => {
    const { id, devices } = await converged(1, OPEN);
    await windows(id, 1, 2);
    await drift(devices);
    await due();
    const [again] = await repeated(id, 1);
    await running.reached(again!.id, 'SCHEDULED');
    const lookedAt = async () => {
      await due();
      await running.state.service.get(Reconverge).step();
      expect(await repetitions(id)).toHaveLength(1);
    };
    await lookedAt();
    expect(running.asked(again!.id)).toEqual([]);
    await running.cancel(again!.id);
    await lookedAt();
    expect(await driftOf(devices[0]!)).toMatchObject({
      state: 'DRIFTED',
      reason: `left alone: operation ${again!.id}, which was to converge it again, was cancelled`,
      attempts: 1,
    });

    // What a later CONVERGE makes of the device counts again.
    const later = await running.create(devices, CONVERGE);
    await carryOut(later, 1);
    await drift(devices);
    await due();
    await repeated(later, 1);
  });

  it('given that the last is over, then they are left alone, and that is said', async () => {
    const { id, devices } = await converged(1, OPEN);
    await windows(id, -2, -1);
    await drift(devices);
    await due();
    await running.until(
      () => driftOf(devices[0]!),
      (found) => found?.reason === `left alone: the schedule of operation ${id} is over`,
    );
    expect(await repetitions(id)).toEqual([]);
    expect(await driftOf(devices[0]!)).toMatchObject({ state: 'DRIFTED', attempts: 0 });
  });
});

describe('a crash', () => {
  it('given one after the operation is made and before that is noted, or many replicas, then there is one operation', async () => {
    const { id, devices } = await converged(2);
    const note = vi.spyOn(running.state.service.get(ReconvergeStore), 'note');
    note.mockRejectedValueOnce(new Error('crashed'));
    await drift(devices);
    await due();
    await vi.waitUntil(() => note.mock.calls.length > 0);
    const sweep = running.state.service.get(Reconverge);
    await Promise.allSettled(Array.from({ length: 5 }, () => sweep.step()));
    const again = await repeated(id, 1);
    await Promise.all(Array.from({ length: 5 }, () => sweep.step()));
    expect(again.flatMap(({ query }) => query.ids).toSorted()).toEqual(devices.toSorted());
    expect(await repetitions(id)).toEqual(again);
    expect((await driftOf(devices[0]!))?.attempts).toBe(1);
  });
});

describe('the rule', () => {
  it.each([
    [{ reconverge: { max: 0 } }, 'arguments.reconverge.max'],
    [{ reconverge: { max: 11 } }, 'arguments.reconverge.max'],
    [{ reconverge: { max: 1.5 } }, 'arguments.reconverge.max'],
    [{ reconverge: {} }, 'arguments.reconverge.max'],
    [{ reconverge: { max: 1, window_seconds: 0 } }, 'arguments.reconverge.window_seconds'],
    [{ reconverge: { max: 1, window: 3 } }, 'arguments.reconverge.window'],
    [{ reconverge: true }, 'arguments.reconverge'],
    [{ converge_with_provision: 'yes' }, 'arguments.converge_with_provision'],
  ])('given %j, then it is refused by its field', async (given, field) => {
    const refused = running.state.call(operations.createOperation, {
      project_id: PROJECT,
      id: uuid(),
      operation: { operation: 'CONVERGE', operation_device_query: {}, arguments: given },
      created_by: uuid(),
      timezone: 'UTC',
    });
    await expect(refused).rejects.toMatchObject({ kind: 'invalid', details: { errors: [{ field }] } });
  });

  it('given a command that happens to have such an argument, then it is its own', async () => {
    const devices = await running.devices(1);
    const id = await running.create(devices, { operation: 'REBOOT', arguments: { reconverge: 'no' } });
    expect((await running.operation(id)).arguments).toEqual({ reconverge: 'no' });
  });
});
