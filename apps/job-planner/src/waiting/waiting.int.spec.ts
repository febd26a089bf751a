import type { WaitingEntry } from '@muster/contracts';
import { NIL } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { planOf } from '../testing/plan-of-test.js';
import { PROJECT, RunningPlanner } from '../testing/running-planner.js';
import { hoursFromNow, told, waitingIn } from '../testing/waiting-of-test.js';
import { pageSql, SOURCES } from './waiting.sources.js';

let planner: RunningPlanner;

beforeAll(async () => {
  planner = await RunningPlanner.start();
});
afterAll(() => planner.service.stop());

const waiting = (limit: number, entity?: WaitingEntry['entity']) => waitingIn(planner, limit, entity);

describe('what waits', () => {
  it('given a job with more devices than slots, then it and each task say what for and until when, until they end', async () => {
    const nodes = planner.nodes(5);
    const id = await planner.create(nodes, {
      rollout: { max_in_flight: 2, timeout: { in_progress_seconds: 3_600, offline_seconds: 7_200 } },
    });
    await planner.askedFor(id, 2);
    const tasks = await waiting(2, 'job-task');
    expect(told(tasks)).toEqual([
      ...Array<string>(2).fill('job-task Running in_flight'),
      ...Array<string>(3).fill('job-task Waiting slot'),
    ]);
    // A task takes three hours at most; two of five at once, so that the last has its turn after three times that.
    expect(tasks.map(hoursFromNow)).toEqual([3, 3, 9, 9, 9]);
    expect(tasks.map(({ device_id }) => device_id).toSorted()).toEqual(nodes.toSorted());
    expect(await waiting(1, 'job')).toMatchObject([{ id, device_id: null, state: 'Running', waits_for: 'in_flight' }]);
    const all = await waiting(1000);
    expect(told(all)).toEqual(['job Running in_flight', ...told(tasks)]);
    expect(await waiting(1, 'command')).toEqual([]);

    await planner.act(id, 'pause');
    await planner.answer(id, planner.asked(id));
    await planner.reached(id, 'Stopped');
    const paused = await waiting(2);
    expect(told(paused)).toEqual(Array<string>(3).fill('job-task Waiting approval'));
    expect(paused.map(({ due_at }) => due_at)).toEqual([null, null, null]);

    await planner.act(id, 'cancel');
    await planner.reached(id, 'Stopped');
    await expect.poll(() => waiting(1)).toEqual([]);
  });

  it('given a rollout that may take longer than four digits of years tell, then the time is cut', async () => {
    const id = await planner.create(planner.nodes(400), {
      rollout: { max_in_flight: 1, timeout: { in_progress_seconds: 2_592_000, offline_seconds: 31_536_000 } },
    });
    await planner.askedFor(id, 1);
    await planner.service.query(`UPDATE rollout SET succeeded = 1000000 WHERE id = $1`, [id]);
    const tasks = await waiting(150, 'job-task');
    expect(tasks).toHaveLength(400);
    expect(new Set(tasks.map((entry) => entry.id)).size).toBe(400);
    expect(tasks.at(-1)!.due_at).toMatch(/^29\d\d-/);
  });

  it('given many devices with windows of their own, few of them in one zone, then a page reads no more than it has', async () => {
    const clock = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString().slice(11, 16);
    const nodes = planner.nodes(3);
    planner.zones.set(nodes[2]!, 'Asia/Tokyo');
    const id = await planner.create(nodes, {
      rollout: { max_in_flight: 1, window: { start: clock(-1), end: clock(1) } },
    });
    await planner.askedFor(id, 1);
    const query = planner.service.query.bind(planner.service);
    await query(
      `INSERT INTO job_task (project_id, id, state, version, job_id, target_id, target_name, task_name, device_id, timezone)
       SELECT project_id, gen_random_uuid(), state, 99, job_id, gen_random_uuid(), '', '', gen_random_uuid(), timezone
       FROM job_task, generate_series(1, 20000) WHERE job_id = $1 AND state = 'Waiting' AND timezone = 'UTC'`,
      [id],
    );
    await query(`ANALYZE job_task`);
    const plan = await planOf(planner.service, pageSql([SOURCES['job-task']!]), [PROJECT, 300, '-infinity', NIL]);
    // Of each of the two rollouts that there are by now.
    expect(plan.mostRead).toBeLessThanOrEqual(2 * 310);
    const tasks = await waiting(1000, 'job-task');
    expect(tasks.filter((task) => task.waits_for === 'slot' && hoursFromNow(task) === 1)).toHaveLength(20_001);
    expect(tasks.filter(({ waits_for }) => waits_for === 'window').map(hoursFromNow)).toEqual([14]);
    await query(`DELETE FROM job_task WHERE version = 99`);
  });
});
