import type { RolloutWait } from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { PlannerOfTest } from '../testing/planner-of-test.js';
import { PROJECT, RunningOperations } from '../testing/running-operations.js';

let running: RunningOperations;
let planner: PlannerOfTest;

beforeAll(async () => {
  running = await RunningOperations.start();
  planner = new PlannerOfTest(running);
  await running.state.service.connection.flush();
});
afterEach(() => {
  planner.mood = 'well';
});
afterAll(() => running.stop());

const LOST = true;

describe('a word between device-state and job-planner that is lost', () => {
  it('given that device operations ended, then they are asked about once they were silent for long', async () => {
    const devices = await running.devices(3);
    const id = await planner.rollOut(devices);
    const items = await planner.begin(id);
    await running.answer(id, items);
    for (const item of items) await planner.toldOf(id, item);
    await planner.end(id, items.slice(0, 2), 'succeeded', 'well done', LOST);
    await planner.lookAtSilent(id);
    for (const item of items.slice(0, 2))
      expect((await running.partReached(id, item.device_id, 'SUCCESS')).reason).toBe('well done');
    expect((await running.part(id, items[2]!.device_id)).state).toBe('DISPATCHED');
    expect(planner.stopsOf(id)).toEqual([]);
    await planner.end(id, items.slice(2), 'failed');
    await planner.over(id);
    expect((await running.reached(id, 'FAILURE')).reason).toBe('1 of 3 devices did not succeed');
    await running.exact(id);
  });

  it('given that some of many ended before they began, then they are found page by page, and again from the first on', async () => {
    const devices = await running.devices(620);
    const id = await planner.rollOut(devices);
    const [lost] = await planner.turns(id, devices.slice(0, 1));
    const last = devices.at(-1)!;
    await planner.end(id, [{ ref: (await running.part(id, last)).id }], 'cancelled', 'superseded by job 1', LOST);
    await planner.lookUntilCancelled(id, last);
    await planner.end(id, [lost!], 'cancelled', 'superseded by job 2', LOST);
    await planner.lookUntilCancelled(id, devices[0]!);
    expect(await running.part(id, devices[0]!)).toMatchObject({ state: 'CANCELLED', reason: 'superseded by job 2' });
    expect(await running.part(id, last)).toMatchObject({ state: 'CANCELLED', reason: 'superseded by job 1' });
    expect((await running.operation(id)).state).toBe('DISPATCHING');
    expect(planner.mostAskedAtOnce).toBe(500);
    await running.exact(id);
  });

  it('given that the rollout is over, then that is asked for, and so is why', async () => {
    const devices = await running.devices(3);
    const id = await planner.rollOut(devices);
    const [item] = await planner.begin(id, devices.slice(0, 1));
    await planner.end(id, [item!], 'failed', 'exit_1');
    await planner.over(id, 'stop rule 1', LOST);
    await planner.look(id);
    expect((await running.reached(id, 'FAILURE')).reason).toBe('stop rule 1');
    for (const device of devices.slice(1))
      expect(await running.part(id, device)).toMatchObject({ state: 'CANCELLED', reason: 'stop rule 1' });
    await running.exact(id);
  });

  it('given a rollout that is over, then what it never planned is CANCELLED for its reason, and the rest ends as it did there', async () => {
    const devices = await running.devices(620);
    const id = await planner.rollOut(devices);
    const items = await planner.begin(id, devices.slice(0, 10));
    await planner.end(id, items.slice(0, 5), 'succeeded', 'well done', LOST);
    await planner.end(id, items.slice(5), 'timed_out', 'in_progress_timeout', LOST);
    await planner.over(id, 'its devices cannot be told');
    expect((await running.reached(id, 'FAILURE')).reason).toBe('its devices cannot be told');
    const { results } = await running.parts(id);
    const ways = Map.groupBy(results, ({ state, reason }) => `${state}: ${reason}`);
    expect(Object.fromEntries([...ways].map(([way, all]) => [way, all.length]))).toEqual({
      'SUCCESS: well done': 5,
      'TIMEOUT: in_progress_timeout': 5,
      'CANCELLED: its devices cannot be told': 610,
    });
    await running.exact(id);
  });

  it('given that end_at came while devices were planned, then the rest is TIMEOUT, as where all were', async () => {
    const devices = await running.devices(4);
    const id = await planner.rollOut(devices);
    const items = await planner.begin(id, devices.slice(0, 1));
    await planner.end(id, items, 'succeeded');
    await planner.runOut(id);
    expect((await running.reached(id, 'FAILURE')).reason).toBe('3 of 4 devices did not succeed');
    for (const device of devices.slice(1))
      expect(await running.part(id, device)).toMatchObject({ state: 'TIMEOUT', reason: 'end_at has passed' });
    await running.exact(id);
  });

  it('given what it waits for, before its devices begin and while nothing is silent, then that is asked for', async () => {
    const devices = await running.devices(1);
    const id = await planner.rollOut(devices);
    const learns = async (waits_for: RolloutWait) => {
      await planner.waits(id, waits_for, LOST);
      const looked = async () => {
        await planner.look(id);
        return running.waitsFor(id);
      };
      await expect.poll(looked, { timeout: 15_000, interval: 200 }).toBe(waits_for);
    };
    await learns('approval');
    await planner.begin(id);
    await learns('offline');
    await running.cancel(id);
  });

  it('given that nobody heard that it was handed over, then it is again, and what happened meanwhile counts', async () => {
    const devices = await running.devices(2);
    planner.mood = 'mute';
    const id = await running.create(devices, { rollout: {} });
    await vi.waitUntil(() => planner.startsOf(id).length > 0);
    const items = await planner.begin(id);
    await planner.end(id, items.slice(0, 1), 'succeeded');
    await running.partReached(id, items[0]!.device_id, 'SUCCESS');
    expect((await running.operation(id)).state).toBe('RESOLVED');
    await planner.recover(id);
    await running.reached(id, 'PROCESSING');
    expect(new Set(planner.startsOf(id).map((start) => JSON.stringify(start))).size).toBe(1);
    await planner.end(id, items.slice(1), 'succeeded');
    await planner.over(id);
    await running.reached(id, 'SUCCESS');
    await running.exact(id);
  });

  it('given that it was rolled out before it was known to be handed over, then it ends as it did', async () => {
    const devices = await running.devices(2);
    planner.mood = 'mute';
    const id = await running.create(devices, { rollout: {} });
    await vi.waitUntil(() => planner.startsOf(id).length > 0);
    await planner.end(id, await planner.begin(id), 'succeeded');
    await planner.over(id);
    await running.reached(id, 'SUCCESS');
    await running.exact(id);
  });

  it('given a job-planner that does not answer for a while, then it goes on from there once it does', async () => {
    const devices = await running.devices(2);
    planner.mood = 'away';
    const id = await running.create(devices, { rollout: {} });
    await running.reached(id, 'RESOLVED');
    await planner.look(id);
    expect((await running.operation(id)).state).toBe('RESOLVED');
    await planner.recover(id);
    await planner.handedOver(id);
    const items = await planner.begin(id);
    planner.mood = 'away';
    await planner.end(id, items.slice(0, 1), 'succeeded', '', LOST);
    await planner.lookAtSilent(id);
    await running.answer(id, items);
    for (const item of items) await planner.toldOf(id, item);
    await running.cancel(id);
    await vi.waitUntil(() => running.cancelled(id).length === 2);
    expect((await running.operation(id)).state).toBe('PROCESSING');
    await planner.recover(id);
    await vi.waitUntil(() => planner.stopsOf(id).length > 0);
    await planner.end(id, items.slice(1), 'cancelled', 'no longer wanted', LOST);
    await planner.over(id, 'no longer wanted');
    await running.reached(id, 'CANCELLED');
    expect((await running.part(id, items[0]!.device_id)).state).toBe('SUCCESS');
    await running.exact(id);
  });

  it('given a restart between the hand-over and the turns, then what was said meanwhile is heard', async () => {
    const devices = await running.devices(4);
    const id = await planner.rollOut(devices);
    const [first, second, third, fourth] = await planner.turns(id);
    await running.state.restart(() => planner.request(id, [first!, second!]));
    const items = await planner.askedFor(id, [first!, second!]);
    await running.state.restart(async () => {
      await running.answer(id, items.slice(0, 1));
      await planner.end(id, items.slice(1), 'failed', 'exit_1');
      await planner.request(id, [third!]);
    });
    expect(await planner.toldOf(id, items[0]!)).toMatchObject({ status: 'SUCCESS' });
    await planner.askedFor(id, [third!]);
    await running.state.restart(async () => {
      await planner.end(id, [first!, third!], 'succeeded');
      await planner.end(id, [fourth!], 'cancelled', 'stop rule 1');
      await planner.over(id, 'stop rule 1');
    });
    expect((await running.reached(id, 'FAILURE')).reason).toBe('stop rule 1');
    expect(planner.startsOf(id)).toHaveLength(1);
    expect(await running.counts(id)).toMatchObject({ resolved_device_count: 4, success_device_count: 2 });
    await running.exact(id);
  });

  it('given an earlier turn that comes late, then the later one stands', async () => {
    const devices = await running.devices(1, { desired: { v: 2 } });
    running.report(devices[0]!, { v: 1 });
    await vi.waitUntil(async () => (await running.state.device(PROJECT, devices[0]!)).reported['v'] === 1);
    const id = await planner.rollOut(devices, { operation: 'CONVERGE' });
    const [first] = await planner.turns(id);
    await planner.request(id, [first!]);
    await running.answer(id, await planner.askedFor(id, [first!]), 'FAILURE', 'busy');
    await planner.toldOf(id, first!);
    const again = { ...first!, command_id: uuid(), turn: 2 };
    await planner.request(id, [again]);
    const items = await planner.askedFor(id, [again]);
    await planner.request(id, [first!]);
    await planner.request(id, [again]);
    await vi.waitUntil(() => running.requests.filter(({ head }) => head.request_id === id).length === 3);
    await running.answer(id, items);
    // What proves nothing is not told as a success.
    await running.partReached(id, devices[0]!, 'COMPLETED');
    expect(planner.told(id).map(({ status }) => status)).toEqual(['FAILURE']);
    running.report(devices[0]!, { v: 2 });
    expect(await planner.toldOf(id, again)).toMatchObject({ status: 'SUCCESS' });
  });
});
