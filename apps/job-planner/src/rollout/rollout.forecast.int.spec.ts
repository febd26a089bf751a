import { jobPlanner, type NewJob, type RolloutPlan } from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RolloutsOfTest } from '../testing/rollouts-of-test.js';
import { jobTargets } from '../tasks/job-task.table.js';
import { planOf } from '../testing/plan-of-test.js';
import { PROJECT, RunningPlanner } from '../testing/running-planner.js';
import { tookStatement } from './target.store.js';

let planner: RunningPlanner;
let rollouts: RolloutsOfTest;

beforeAll(async () => {
  planner = await RunningPlanner.start();
  rollouts = new RolloutsOfTest(planner);
});
afterAll(() => planner.service.stop());

const plan = (nodes: string[], job: Partial<NewJob> = {}): Promise<RolloutPlan> =>
  planner.service.call(jobPlanner.planJob, {
    project_id: PROJECT,
    job: {
      job_name: 'aaa',
      job_type: 'deployment_deploy',
      job_content: { target_type: 'node', targets: nodes, task_data: '{}' },
      ...job,
    },
  });

const UPGRADE = { job_type: 'node_upgrade' as const };

/** An upgrade of these that has succeeded; each of them took so many seconds. */
async function upgraded(
  nodes: string[],
  seconds: (place: number) => number,
  job: Partial<NewJob> = {},
): Promise<string> {
  const id = await planner.create(nodes, { ...UPGRADE, ...job });
  await planner.answer(id, await planner.askedFor(id, nodes.length));
  await planner.reached(id, 'Successful');
  for (const [place, node] of nodes.entries())
    await planner.service.query(`UPDATE job_task SET took = $3 WHERE job_id = $1 AND device_id = $2`, [
      id,
      node,
      seconds(place),
    ]);
  return id;
}

describe('a plan', () => {
  it('given waves and stop rules, then it tells the devices of each and how far a fault may get, and writes nothing', async () => {
    const nodes = planner.nodes(1_000);
    const tables = () =>
      planner.service.query(
        `SELECT (SELECT count(*) FROM job), (SELECT count(*) FROM rollout), (SELECT count(*) FROM journal)`,
      );
    const before = await tables();
    const answer = await plan(nodes, {
      rollout: {
        waves: [{ percent: 1, success_threshold: 90 }, { percent: 10, soak_seconds: 60, approval: true }, {}],
        max_in_flight: 20,
        abort: [{ percent: 5, min_finished: 10, action: 'rollback' }],
      },
    });
    expect(answer.targets).toMatchObject({ count: 1_000, offline: 0, left_out: [] });
    expect(answer.targets.sample).toHaveLength(20);
    expect(answer.waves).toEqual([
      { number: 1, devices: 10, success_threshold: 90, soak_seconds: 0, approval: false },
      { number: 2, devices: 100, success_threshold: null, soak_seconds: 60, approval: true },
      { number: 3, devices: 890, success_threshold: null, soak_seconds: 0, approval: false },
    ]);
    expect(answer.exposure).toEqual([
      { wave: 1, rule: 1, devices: 10, wrong: 10 },
      { wave: 2, rule: 1, devices: 30, wrong: 20 },
      { wave: 3, rule: 1, devices: 135, wrong: 25 },
    ]);
    expect(await tables()).toEqual(before);
  });

  it('given more waves of a query than a query has room for alternatives, then it tells them, as the job begins with them', async () => {
    const nodes = planner.nodes(41);
    const waves = [...nodes.slice(1).map((node) => ({ query: { ids: [node] } })), {}];
    const answer = await plan(nodes, { rollout: { waves } });
    expect(answer.waves.map(({ devices }) => devices)).toEqual(Array(41).fill(1));
    const id = await planner.create(nodes, { rollout: { waves } });
    expect((await planner.askedFor(id, 1)).map(({ device_id }) => device_id)).toEqual([nodes[1]]);
  });

  it('given devices that are offline, in zones, in a query and in other rollouts, then each is told', async () => {
    const nodes = planner.nodes(6);
    for (const node of nodes.slice(0, 2)) planner.zones.set(node, 'Asia/Tokyo');
    for (const node of nodes.slice(0, 3)) planner.offline.add(node);
    planner.tagged.set('lab', [nodes[5]!, nodes[0]!]);
    const other = await planner.create(nodes.slice(0, 4), { rollout: { max_in_flight: 1, priority: 7 } });
    await planner.askedFor(other, 1);
    const answer = await plan(nodes, {
      rollout: {
        waves: [{ count: 1 }, { query: { tags: 'lab' } }, {}],
        window: { start: '02:00', end: '04:00' },
        offline: 'skip',
      },
    });
    expect(answer.waves.map(({ devices }) => devices)).toEqual([1, 2, 3]);
    expect(answer.targets).toMatchObject({ count: 6, offline: 3, left_out: [{ reason: 'offline', count: 3 }] });
    expect(answer.conflicts).toEqual([{ entity: 'job', id: other, priority: 7, devices: 4 }]);
    const windows = Object.fromEntries(answer.windows.map((window) => [window.timezone, window]));
    expect([windows['UTC']!.devices, windows['Asia/Tokyo']!.devices]).toEqual([4, 2]);
    for (const { opens_at, closes_at } of answer.windows)
      expect(Date.parse(closes_at!) - Date.parse(opens_at!)).toBeLessThanOrEqual(7_200_000);
  });

  it.each([
    ['a start', { start_at: '9999-01-01T00:00:00Z' }, '9999-01-01T00:00:00.000Z'],
    [
      'a start and windows',
      { start_at: '9998-01-01T12:00:00Z', window: { start: '03:00', end: '04:00', timezone: 'Asia/Tokyo' } },
      '9998-01-01T18:00:00.000Z',
    ],
    [
      'a start in a window on the clocks of the devices',
      { start_at: '9998-01-01T12:00:00Z', window: { start: '11:00', end: '13:00' } },
      '9998-01-01T12:00:00.000Z',
    ],
    [
      'windows that open for its devices after its end alone',
      { start_at: '9998-01-01T12:00:00Z', end_at: '9998-01-01T14:00:00Z', window: { start: '02:30', end: '03:30' } },
      null,
    ],
  ])('given %s, then it says when the first device may begin', async (_, rollout, begins_at) => {
    expect((await plan(planner.nodes(2), { rollout })).begins_at).toBe(begins_at);
  });

  it('given neither a start nor a window, then it begins at once', async () => {
    const before = Date.now();
    const begins = Date.parse((await plan(planner.nodes(1))).begins_at!);
    expect(begins).toBeGreaterThanOrEqual(before);
    expect(begins).toBeLessThanOrEqual(Date.now());
  });

  it('given that nothing like it was rolled out, then no duration is told; after one was, then a range', async () => {
    const type = { job_type: 'node_upgrade' as const };
    const nodes = planner.nodes(40);
    expect((await plan(nodes, type)).duration).toBeNull();
    const id = await planner.create(nodes, type);
    await planner.answer(id, await planner.askedFor(id, 40));
    await planner.reached(id, 'Successful');
    const { duration } = await plan(nodes, { ...type, rollout: { max_in_flight: 10 } });
    expect(duration!.least_seconds).toBeGreaterThan(0);
    expect(duration!.most_seconds).toBeGreaterThanOrEqual(duration!.least_seconds);
  });

  it('given what a create refuses, then it is refused in the same words', async () => {
    await expect(plan([uuid()])).rejects.toThrow('job_content.targets: no such node');
    await expect(plan(planner.nodes(1), { rollout: { waves: [{ count: 1 }] } })).rejects.toThrow('rollout.waves.0');
  });
});

describe('the duration of a plan', () => {
  it('given devices that were slow at the command, where all others are fast, then it is told after what they took', async () => {
    const slow = planner.nodes(12);
    const rollout = { max_in_flight: 3 };
    await upgraded(slow, (place) => 15 + (place % 6));
    await upgraded(slow, () => 17, { job_type: 'deployment_deploy' });
    const others = await upgraded(planner.nodes(1), () => 2);
    await planner.service.query(`UPDATE rollout SET durations = '{"2": 5000}' WHERE id = $1`, [others]);
    const { duration } = await plan(slow, { ...UPGRADE, rollout });
    // Four of 15 to 20 seconds, one after the other.
    expect(duration!.least_seconds).toBeGreaterThan(50);
    expect(duration!.least_seconds).toBeLessThan(70);
    expect(duration!.most_seconds).toBeGreaterThan(75);
    expect(duration!.most_seconds).toBeLessThan(120);
    // Those that have never done it are as fast as the others.
    expect((await plan(planner.nodes(12), { ...UPGRADE, rollout })).duration!.most_seconds).toBeLessThan(30);
  });

  it('given far more parts of other devices, then what the planned ones took is read from an index', async () => {
    const nodes = planner.nodes(3);
    const id = await upgraded(nodes, () => 5);
    await planner.service.query(
      `INSERT INTO job_task (project_id, id, state, version, job_id, target_id, target_name, task_name, device_id, took)
       SELECT project_id, gen_random_uuid(), 'Successful', 9, job_id, gen_random_uuid(), '', '',
         CASE WHEN n <= 1000 THEN device_id ELSE gen_random_uuid() END, 1
       FROM job_task, generate_series(1, 10000) n WHERE job_id = $1`,
      [id],
    );
    await planner.service.query('ANALYZE job_task');
    const read = await planOf(planner.service, tookStatement(jobTargets), [PROJECT, nodes, 'node_upgrade']);
    expect(read.indexes).toContain('job_task_of_device');
    expect(read.mostRead).toBeLessThanOrEqual(300);
    await planner.service.query(`DELETE FROM job_task WHERE job_id = $1`, [id]);
  });
});

describe('the beginning of a plan', () => {
  describe('of canaries in Chicago and other devices in Tokyo, in windows on their clocks', () => {
    const [canaries, others, nobody] = [uuid(), uuid(), uuid()];
    const NIGHT = { start_at: '9998-01-01T12:00:00Z', window: { start: '02:00', end: '04:00' } };
    const [IN_TOKYO, IN_CHICAGO] = ['9998-01-01T17:00:00.000Z', '9998-01-02T08:00:00.000Z'];
    let nodes: string[];

    beforeAll(async () => {
      nodes = planner.nodes(8);
      for (const [place, node] of nodes.entries())
        planner.zones.set(node, place < 2 ? 'America/Chicago' : 'Asia/Tokyo');
      planner.tagged.set(canaries, nodes.slice(0, 2));
      planner.tagged.set(others, nodes.slice(2));
      await upgraded(nodes, () => 5);
    });

    it.each([
      ['the canaries first', [{ query: { tags: canaries } }, {}], IN_CHICAGO],
      ['no device in the first wave', [{ query: { tags: nobody } }, { query: { tags: canaries } }, {}], IN_CHICAGO],
      ['the others first', [{ query: { tags: others } }, {}], IN_TOKYO],
      ['one that is no canary first', [{ count: 1 }, { query: { tags: canaries } }, {}], IN_TOKYO],
      ['one that is none of the others first', [{ count: 1 }, { query: { tags: others } }, {}], IN_CHICAGO],
      ['a share as large as the canaries first', [{ percent: 25 }, {}], IN_CHICAGO],
      ['a larger share first', [{ percent: 26 }, {}], IN_TOKYO],
      ['no waves', undefined, IN_TOKYO],
    ])('given %s, then it is that of the first wave with devices', async (_, waves, begins_at) => {
      const answer = await plan(nodes, { ...UPGRADE, rollout: { ...NIGHT, ...(waves && { waves }) } });
      expect(answer.begins_at).toBe(begins_at);
      expect(answer.windows.map(({ opens_at }) => opens_at).sort()).toEqual([IN_TOKYO, IN_CHICAGO]);
      expect(answer.duration).not.toBeNull();
    });

    it('given an end before the canaries may begin, then none ever begins', async () => {
      const rollout = { ...NIGHT, end_at: '9998-01-02T00:00:00Z', waves: [{ query: { tags: canaries } }, {}] };
      expect(await plan(nodes, { ...UPGRADE, rollout })).toMatchObject({ begins_at: null, duration: null });
    });
  });

  it.each([
    ['on the clocks of the devices', {}, '9998-01-01T13:00:00.000Z'],
    ['on the clock of a zone', { timezone: 'Asia/Tokyo' }, '9998-01-01T17:00:00.000Z'],
  ])('given no devices yet and windows %s, then it is when one may begin that joins', async (_, clock, begins_at) => {
    const rollout = {
      membership: 'continuous' as const,
      start_at: '9998-01-01T12:30:00Z',
      end_at: '9998-01-03T00:00:00Z',
      window: { start: '02:00', end: '02:10', ...clock },
    };
    const job_content = { target_type: 'node' as const, target_query: { tags: uuid() }, task_data: '{}' };
    expect(await plan([], { job_content, rollout })).toMatchObject({ begins_at, targets: { count: 0 } });
  });
});

describe('a rollout that supersedes', () => {
  it('given others that wait for its devices, then what waits is cancelled, what a device works on goes on, and a higher priority stays', async () => {
    const nodes = planner.nodes(4);
    const low = await planner.create(nodes, { rollout: { max_in_flight: 1 } });
    const high = await planner.create(nodes, { rollout: { max_in_flight: 1, priority: 9 } });
    const [under] = await planner.askedFor(low, 1);
    await planner.askedFor(high, 1);
    const id = await planner.create(nodes.slice(0, 3), { rollout: { supersedes: true, priority: 5 } });
    await planner.askedFor(id, 3);
    const left = nodes.slice(0, 3).filter((node) => node !== under!.device_id).length;
    await planner.progressed(low, { cancelled: left });
    const cancels = planner.cancels.filter((batch) => batch.head.request_id === low);
    expect(cancels.flatMap((batch) => batch.items).map((item) => item.command_id)).toEqual(
      left === 2 ? [under!.command_id] : [],
    );
    expect(cancels.every((batch) => batch.head.waiting_only)).toBe(true);
    const job = await planner.job(low);
    expect(job.tasks.find((task) => task.status === 'Stopped')!.reason).toBe(`superseded by job ${id}`);
    expect((await planner.job(high)).progress.cancelled).toBe(0);
    await rollouts.exact(low);
  });

  it('given that it looks for devices again, then it takes over those that join, and leaves the others to whom took them over since', async () => {
    const [joins, ...members] = planner.nodes(3);
    const tag = uuid();
    planner.tagged.set(tag, members);
    const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
    const id = await planner.create([], {
      job_content: { target_type: 'node', target_query: { tags: tag }, task_data: '{}' },
      rollout: { supersedes: true, membership: 'continuous', end_at: inAnHour },
    });
    await planner.answer(id, await planner.askedFor(id, 2));
    await planner.progressed(id, { succeeded: 2 });
    const later = await planner.create([...members, joins!], { rollout: { supersedes: true, start_at: inAnHour } });
    await planner.progressed(later, { pending: 3 });
    planner.tagged.get(tag)!.push(joins!);
    await rollouts.rescanned(id);
    await planner.askedFor(id, 3);
    expect((await planner.job(later)).progress).toMatchObject({ pending: 2, cancelled: 1 });
  });
});
