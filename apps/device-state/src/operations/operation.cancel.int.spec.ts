import { deviceGroups, waitings, type NewOperation } from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PROJECT, RunningOperations, type Asked } from '../testing/running-operations.js';

let running: RunningOperations;

beforeAll(async () => {
  running = await RunningOperations.start();
});
afterAll(() => running.stop());

const inAnHour = () => ({
  start_datetime: new Date(Date.now() + 3_600_000).toISOString(),
  end_datetime: new Date(Date.now() + 7_200_000).toISOString(),
});

describe('a group that an operation names', () => {
  const group = async () => {
    const id = uuid();
    const group = { name: `group ${id}`, device_ids: await running.devices(1) };
    await running.state.call(deviceGroups.createGroup, { project_id: PROJECT, id, group });
    return id;
  };
  const remove = (id: string) => running.state.call(deviceGroups.deleteGroup, { project_id: PROJECT, id });
  const namedBy = (id: string): Partial<NewOperation> => ({
    operation_device_query: { and: [{ group: id.toUpperCase() }] },
    schedule_type: 'WINDOW',
    schedule_args: inAnHour(),
  });

  it('given an operation that has yet to find its devices, then the group stays; once it is cancelled, it may go', async () => {
    const id = await group();
    const operation = await running.ask(namedBy(id));
    await expect(remove(id)).rejects.toThrow(`operation ${operation.id} has yet to find its devices by it`);
    await running.reached(operation.id, 'SCHEDULED');
    await expect(remove(id)).rejects.toMatchObject({ kind: 'conflict' });
    await running.cancel(operation.id);
    expect(await remove(id)).toEqual({});
  });

  it('given that it goes while an operation that names it is made, then one of both is refused', async () => {
    for (let round = 0; round < 10; round++) {
      const id = await group();
      const [made, gone] = await Promise.allSettled([running.ask(namedBy(id)), remove(id)]);
      expect([made.status, gone.status].toSorted()).toEqual(['fulfilled', 'rejected']);
      if (made.status === 'rejected') expect(String(made.reason)).toMatch(/operation_device_query.*no group/);
    }
  });
});

describe('an operation in a window', () => {
  it('given a window that opens later, then it is SCHEDULED and resolves nothing until it does', async () => {
    const [device] = await running.devices(1, { timezone: 'Asia/Tokyo' });
    const schedule_args = inAnHour();
    const { id } = await running.ask({
      operation_device_query: { ids: [device!] },
      schedule_type: 'WINDOW',
      schedule_args,
    });
    const scheduled = await running.reached(id, 'SCHEDULED');
    expect(scheduled).toMatchObject({ schedule_type: 'WINDOW', schedule_args });
    const waiting = await running.state.call(waitings['device-state'], { project_id: PROJECT, limit: 1000 });
    expect(waiting.entries.find((one) => one.id === id)).toMatchObject({ waits_for: 'window' });
    expect(Date.parse(waiting.entries.find((one) => one.id === id)!.due_at!)).toBe(
      Date.parse(schedule_args.start_datetime),
    );
    expect((await running.parts(id)).count).toBe(0);

    await running.state.query(`UPDATE operation SET opens_at = now(), wake_at = now() WHERE id = $1`, [id]);
    const items = await running.askedFor(id, 1);
    expect(items[0]!.timezone).toBe('Asia/Tokyo');
    expect(running.requests.find(({ head }) => head.request_id === id)!.head.schedule).toEqual({
      schedule: 'WINDOW',
      args: schedule_args,
      console_timezone: 'Europe/Paris',
    });
    await running.answer(id, items);
    const done = await running.reached(id, 'SUCCESS');
    expect(done.operation_activity.slice(0, 3).map(({ operation_state }) => operation_state)).toEqual([
      'CREATED',
      'SCHEDULED',
      'RESOLVING',
    ]);
  });
});

describe('a cancel of an operation', () => {
  it('given one that is SCHEDULED, then it is CANCELLED at once, and again changes nothing', async () => {
    const [device] = await running.devices(1);
    const { id } = await running.ask({
      operation_device_query: { ids: [device!] },
      schedule_type: 'WINDOW',
      schedule_args: inAnHour(),
      reason: 'maintenance',
    });
    expect((await running.reached(id, 'SCHEDULED')).reason).toBe('maintenance');
    const cancelled = await running.cancel(id);
    expect(cancelled).toMatchObject({ state: 'CANCELLED', reason: 'no longer wanted' });
    expect(await running.cancel(id, 'again')).toEqual(cancelled);
  });

  it('given commands in flight, then each is cancelled once, and what the device did instead counts', async () => {
    const devices = await running.devices(4);
    const id = await running.create(devices);
    const items = await running.askedFor(id, 4);
    await running.step(id, items.slice(1, 2), 'INITIATED');
    await running.answer(id, items.slice(0, 1));
    await running.partReached(id, items[0]!.device_id, 'SUCCESS');
    await running.cancel(id);
    await vi.waitUntil(() => running.cancelled(id).length === 3, { timeout: 10_000 });
    await running.cancel(id);
    await running.exact(id);
    await running.answer(id, items.slice(1, 3), 'CANCELLED');
    await running.answer(id, items.slice(3));
    const operation = await running.reached(id, 'CANCELLED');
    expect(operation.reason).toBe('no longer wanted');
    expect((await running.parts(id, 'CANCELLED')).count).toBe(2);
    expect((await running.parts(id, 'SUCCESS')).count).toBe(2);
    expect(new Set(running.cancelled(id)).size).toBe(running.cancelled(id).length);
    await running.exact(id);
  });

  it('given one that has ended otherwise, then it is refused with its state', async () => {
    const { id } = await running.ask({ operation_device_query: { tags: ['nobody'] } });
    await running.reached(id, 'FAILURE');
    await expect(running.cancel(id)).rejects.toMatchObject({
      kind: 'invalid',
      message: 'state: an operation that is FAILURE cannot be cancelled',
    });
  });

  it('given a cancel at any moment after the create, then it ends CANCELLED or was over, and the counts are exact', async () => {
    const devices = await running.devices(1_100, { tags: ['storm'] });
    expect(devices).toHaveLength(1_100);
    for (const pause of [0, 5, 20, 60, 150]) {
      const { id } = await running.ask({ operation_device_query: { tags: ['storm'] } });
      const answered = new Set<string>();
      const from = Date.now();
      const answerNew = async () => {
        const fresh = running.asked(id).filter(({ command_id }) => !answered.has(command_id));
        for (const { command_id } of fresh) answered.add(command_id);
        const cancelled = new Set(running.cancelled(id));
        const isCancelled = ({ command_id }: Asked) => cancelled.has(command_id);
        await running.answer(id, fresh.filter(isCancelled), 'CANCELLED');
        await running.answer(
          id,
          fresh.filter((item) => !isCancelled(item)),
        );
      };
      await vi.waitUntil(() => Date.now() - from >= pause, { interval: 1 });
      await running.cancel(id);
      await vi.waitUntil(
        async () => {
          await answerNew();
          return (await running.operation(id)).state === 'CANCELLED';
        },
        { timeout: 15_000, interval: 20 },
      );
      await running.exact(id);
    }
  });

  it('given a cancel that had no word for long, then it is asked for again', async () => {
    const [device] = await running.devices(1);
    const id = await running.create([device!]);
    const items = await running.askedFor(id, 1);
    await running.cancel(id);
    await vi.waitUntil(() => running.cancelled(id).length === 1, { timeout: 10_000 });
    await running.state.query(`UPDATE device_operation SET ask_at = now() WHERE operation_id = $1`, [id]);
    await running.state.query(`UPDATE operation SET wake_at = now() WHERE id = $1`, [id]);
    await vi.waitUntil(() => running.cancelled(id).length === 2, { timeout: 10_000 });
    expect(running.asked(id)).toEqual(items);
    await running.answer(id, items, 'CANCELLED');
    await running.reached(id, 'CANCELLED');
  });
});

describe("a cancel of one device's part", () => {
  it('given its command in flight, then that is cancelled and the others go on', async () => {
    const devices = await running.devices(2);
    const id = await running.create(devices);
    const items = await running.askedFor(id, 2);
    const mine = items.find(({ device_id }) => device_id === devices[0])!;
    await running.cancelDevice(id, devices[0]!);
    await running.cancelDevice(id, devices[0]!);
    await vi.waitUntil(() => running.cancelled(id).length === 1);
    expect(running.cancelled(id)).toEqual([mine.command_id]);
    await running.exact(id);
    await running.answer(id, [mine], 'CANCELLED');
    expect((await running.partReached(id, devices[0]!, 'CANCELLED')).state).toBe('CANCELLED');
    await running.answer(
      id,
      items.filter((item) => item !== mine),
    );
    expect((await running.reached(id, 'FAILURE')).reason).toBe('1 of 2 devices did not succeed');
    await running.cancelDevice(id, devices[0]!);
    await expect(running.cancelDevice(id, devices[1]!)).rejects.toMatchObject({
      kind: 'invalid',
      message: 'state: a device operation that is SUCCESS cannot be changed',
    });
    await running.exact(id);
  });
});
