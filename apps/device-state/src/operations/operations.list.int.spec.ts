import { operations, timelines, waitings } from '@muster/contracts';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PROJECT, RunningOperations } from '../testing/running-operations.js';

let running: RunningOperations;

beforeAll(async () => {
  running = await RunningOperations.start();
});
afterAll(() => running.stop());

describe('lists', () => {
  it('given operations of several kinds, then they are filtered, ordered and paged', async () => {
    const [device] = await running.devices(1);
    const ids = [];
    for (const operation of ['LIST-A', 'LIST-A', 'LIST-B']) {
      const { id } = await running.ask({ operation, operation_device_query: { ids: [device!] } });
      // A device becomes part of operations in the order in which they are resolved.
      await running.askedFor(id, 1);
      ids.push(id);
    }
    const list = (rest: object) =>
      running.state.call(operations.listOperations, {
        project_id: PROJECT,
        ordering: 'created_at',
        limit: 10,
        offset: 0,
        ...rest,
      });
    const idsOf = async (rest: object) => (await list(rest)).results.map(({ id }) => id);
    expect(await idsOf({ operation_type: 'LIST-A' })).toEqual(ids.slice(0, 2));
    expect(await idsOf({ operation_type: 'LIST-A', ordering: '-created_at' })).toEqual([ids[1], ids[0]]);
    expect(await list({ operation_type: 'LIST-A', limit: 1, offset: 1 })).toMatchObject({
      count: 2,
      results: [{ id: ids[1] }],
    });
    for (const id of ids) await running.reached(id, 'DISPATCHED');
    await running.cancel(ids[0]!);
    await running.answer(ids[0]!, running.asked(ids[0]!), 'CANCELLED');
    await running.reached(ids[0]!, 'CANCELLED');
    expect(await idsOf({ operation_type: 'LIST-A', state: 'CANCELLED' })).toEqual([ids[0]]);
    expect((await idsOf({ operation_type: 'LIST-A', ordering: '-updated_at' }))[0]).toBe(ids[0]);
    const ofDevice = await running.state.call(operations.listOperationsOfDevice, {
      project_id: PROJECT,
      device_id: device!,
      limit: 2,
      offset: 0,
    });
    expect([ofDevice.count, ofDevice.results.map(({ id }) => id)]).toEqual([3, [ids[2], ids[1]]]);
  });

  it('given documents that no answer could carry together, then a page is shorter than its limit, and all are read after one another', async () => {
    const [one] = await running.devices(1);
    const blob = 'x'.repeat(250_000);
    for (let n = 0; n < 40; n++) await running.create([one!], { operation: 'LARGE', arguments: { blob } });
    const lists = {
      all: (offset: number) =>
        running.state.call(operations.listOperations, {
          ...{ project_id: PROJECT, operation_type: 'LARGE', ordering: 'created_at', limit: 1000, offset },
        }),
      ofDevice: (offset: number) =>
        running.state.call(operations.listOperationsOfDevice, {
          ...{ project_id: PROJECT, device_id: one!, limit: 1000, offset },
        }),
    };
    await running.until(
      () => lists.ofDevice(0),
      ({ count }) => count === 40,
    );
    for (const list of Object.values(lists)) {
      const read = new Set<string>();
      let pages = 0;
      for (let more = true; more; pages++) {
        const { count, results } = await list(read.size);
        expect([count, results.length > 0]).toEqual([40, true]);
        for (const { id } of results) read.add(id);
        more = read.size < count;
      }
      expect([read.size, pages]).toEqual([40, 2]);
    }
  });

  it('given a device, then its timeline tells each state newest first, and what is open waits in order', async () => {
    const [device] = await running.devices(1);
    const id = await running.create([device!]);
    const items = await running.askedFor(id, 1);
    await running.answer(id, items);
    await running.reached(id, 'SUCCESS');
    const ask = (rest: object) =>
      running.state.call(timelines['device-state'], { project_id: PROJECT, device_id: device!, limit: 4, ...rest });
    const first = (await ask({})).entries;
    expect(first.map(({ state }) => state)).toEqual(['SUCCESS', 'COMPLETED', 'PROCESSING', 'DISPATCHED']);
    expect(new Set(first.map((entry) => entry.entity_id)).size).toBe(1);
    expect(first[0]).toMatchObject({ entity: 'device-operation', detail: { operation_id: id, operation: 'REBOOT' } });
    const rest = (await ask({ before: { at: first.at(-1)!.at, id: first.at(-1)!.id } })).entries;
    expect(rest.map(({ state }) => state)).toEqual(['INITIATED', 'CREATED', 'REGISTERED']);
    expect(new Set([...first, ...rest].map((entry) => entry.id)).size).toBe(7);

    const open = await running.create([device!]);
    await running.reached(open, 'DISPATCHED');
    const { entries: waiting } = await running.state.call(waitings['device-state'], {
      project_id: PROJECT,
      limit: 1000,
    });
    const mine = waiting.filter((one) => one.id === open || one.device_id === device);
    expect(mine.map(({ entity, waits_for }) => [entity, waits_for]).toSorted()).toEqual([
      ['device-operation', 'in_flight'],
      ['operation', 'in_flight'],
    ]);
    expect(waiting.map(({ due_at }) => due_at)).toEqual(waiting.map(({ due_at }) => due_at).toSorted());
    const [one, two] = waiting;
    const after = { due_at: one!.due_at, id: one!.id };
    const waitingAfter = (rest: object) =>
      running.state.call(waitings['device-state'], { project_id: PROJECT, limit: 1, ...rest });
    expect(await waitingAfter({ after })).toEqual({ entries: [two], more: waiting.length > 2 });
    expect(await waitingAfter({ after: { due_at: null, id: open } })).toEqual({ entries: [], more: false });
    const parts = await running.state.call(waitings['device-state'], {
      project_id: PROJECT,
      entity: 'device-operation',
      limit: 1000,
    });
    expect(parts.entries).toEqual(waiting.filter(({ entity }) => entity === 'device-operation'));
    await running.cancel(open);
  });

  it('given a device that has its command and is away, then it waits for the device; once it is there, for its answer', async () => {
    const [device] = await running.devices(1);
    const id = await running.create([device!]);
    await running.step(id, await running.askedFor(id, 1), 'INITIATED');
    const part = await running.partReached(id, device!, 'DISPATCHED');
    expect(await running.waitsFor(part.id)).toBe('offline');
    running.state.say(PROJECT, device!, 'hello', {});
    await vi.waitUntil(async () => (await running.waitsFor(part.id)) === 'answer');
    await running.cancel(id);
  });
});
