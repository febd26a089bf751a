import { operationRollouts, type DeviceQuery, type Rollout, type RolloutPlan } from '@muster/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROJECT, RunningPlanner } from '../testing/running-planner.js';

let planner: RunningPlanner;

beforeAll(async () => {
  planner = await RunningPlanner.start();
});
afterAll(() => planner.service.stop());

const plan = (query: DeviceQuery, rollout: Rollout = {}, operation = 'REBOOT'): Promise<RolloutPlan> =>
  planner.service.call(operationRollouts.planOperationRollout, { project_id: PROJECT, operation, query, rollout });

/** So many devices with a tag that no others have. */
function tagged(tag: string, count: number): string[] {
  const nodes = planner.nodes(count);
  planner.tagged.set(tag, nodes);
  return nodes;
}

describe('the plan of an operation', () => {
  it('given waves, of which one has a query, and a stop rule, then each has its devices and its worst case, and nothing is written', async () => {
    const kiosks = tagged('kiosk', 30);
    planner.names.set(kiosks[20]!, 'kiosk in the hall');
    planner.tagged.set('canary', [...kiosks.slice(20, 23), ...planner.nodes(4)]);
    const tables = () =>
      planner.service.query(
        `SELECT (SELECT count(*) FROM rollout), (SELECT count(*) FROM job_task), (SELECT count(*) FROM journal)`,
      );
    const before = await tables();
    const answer = await plan(
      { tags: 'kiosk' },
      {
        waves: [
          { query: { tags: 'canary' }, success_threshold: 100 },
          { count: 9, soak_seconds: 30, approval: true },
          {},
        ],
        max_in_flight: 5,
        abort: [{ count: 2, action: 'cancel' }],
      },
    );
    expect(answer.targets).toMatchObject({ count: 30, offline: 0, left_out: [] });
    expect(answer.targets.sample).toHaveLength(20);
    const first = { target_id: kiosks[20], device_id: kiosks[20], device_name: 'kiosk in the hall', timezone: 'UTC' };
    expect(answer.targets.sample[0]).toEqual(first);
    expect(answer.waves).toEqual([
      { number: 1, devices: 3, success_threshold: 100, soak_seconds: 0, approval: false },
      { number: 2, devices: 9, success_threshold: null, soak_seconds: 30, approval: true },
      { number: 3, devices: 18, success_threshold: null, soak_seconds: 0, approval: false },
    ]);
    expect(answer.exposure).toEqual([
      { wave: 1, rule: 1, devices: 3, wrong: 3 },
      { wave: 2, rule: 1, devices: 9, wrong: 6 },
      { wave: 3, rule: 1, devices: 18, wrong: 6 },
    ]);
    expect(await tables()).toEqual(before);
    expect(planner.requests).toEqual([]);
  });

  it('given more devices than a page has, then all of them are counted', async () => {
    tagged('fleet', 1_200);
    const answer = await plan({ tags: 'fleet' }, { waves: [{ percent: 10 }, {}] });
    expect(answer.targets.count).toBe(1_200);
    expect(answer.waves.map(({ devices }) => devices)).toEqual([120, 1_080]);
  });

  it('given devices that are offline, in zones and in a job, then each is told', async () => {
    const nodes = tagged('lab', 6);
    for (const node of nodes.slice(0, 2)) planner.zones.set(node, 'Asia/Tokyo');
    for (const node of nodes.slice(0, 3)) planner.offline.add(node);
    const job = await planner.create(nodes.slice(0, 4), { rollout: { max_in_flight: 1, priority: 7 } });
    await planner.askedFor(job, 1);
    const answer = await plan({ tags: 'lab' }, { offline: 'skip', window: { start: '02:00', end: '04:00' } });
    expect(answer.targets).toMatchObject({ count: 6, offline: 3, left_out: [{ reason: 'offline', count: 3 }] });
    expect(answer.conflicts).toEqual([{ entity: 'job', id: job, priority: 7, devices: 4 }]);
    const zones = answer.windows.map(({ timezone, devices }): [string, number] => [timezone, devices]);
    expect(Object.fromEntries(zones)).toEqual({ UTC: 4, 'Asia/Tokyo': 2 });
  });

  it('given that its command was never rolled out, then no duration is told; after it was, then a range', async () => {
    const nodes = tagged('shop', 4);
    expect((await plan({ tags: 'shop' }, {}, 'node_upgrade')).duration).toBeNull();
    const job = await planner.create(nodes, { job_type: 'node_upgrade' });
    await planner.answer(job, await planner.askedFor(job, 4));
    await planner.reached(job, 'Successful');
    const { duration } = await plan({ tags: 'shop' }, { max_in_flight: 2 }, 'node_upgrade');
    expect(duration!.most_seconds).toBeGreaterThan(0);
    expect(duration!.most_seconds).toBeGreaterThanOrEqual(duration!.least_seconds);
    expect((await plan({ tags: 'shop' })).duration).toBeNull();
  });

  it('given no device that matches, then it says so', async () => {
    const answer = await plan({ tags: 'nobody' }, { waves: [{ percent: 10 }, {}] });
    expect(answer.targets).toMatchObject({ count: 0, sample: [] });
    expect(answer.waves.map(({ devices }) => devices)).toEqual([0, 0]);
  });

  it.each([
    [{}, {}, 'query'],
    [{ tags: [] }, {}, 'query.tags'],
    [{ tags: 'kiosk' }, { max_in_flight: 0 }, 'rollout.max_in_flight'],
    [{ tags: 'kiosk' }, { waves: [{ percent: 101 }, {}] }, 'rollout.waves.0.percent'],
  ])('given the query %j and the rollout %j, then the refusal names %s', async (query, rollout, field) => {
    await expect(plan(query, rollout)).rejects.toMatchObject({
      kind: 'invalid',
      details: { errors: expect.arrayContaining([expect.objectContaining({ field })]) as unknown },
    });
  });
});
