import type { Progress } from '@muster/contracts';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { RolloutsOfTest } from '../testing/rollouts-of-test.js';
import { PROJECT, RunningPlanner } from '../testing/running-planner.js';

let planner: RunningPlanner;
let rollouts: RolloutsOfTest;

beforeAll(async () => {
  planner = await RunningPlanner.start();
  rollouts = new RolloutsOfTest(planner);
});
afterAll(() => planner.service.stop());

interface Notice {
  id: string;
  time: string;
  data: Progress & { project_id: string; id: string; number: number };
}

/** What was told of a job's progress, each notice once, in the order of their numbers. */
const told = (id: string): Notice[] => {
  const heard = planner.service.events.filter(({ subject }) => subject === `muster.evt.${PROJECT}.job.progress.${id}`);
  const notices = new Map(heard.map((event) => [event.id, event as unknown as Notice]));
  return [...notices.values()].sort((a, b) => a.data.number - b.data.number);
};
const numbers = ({ project_id: _project, id: _id, number: _number, ...progress }: Notice['data']) => progress;
const lastToldAre = (id: string, progress: Partial<Progress>) =>
  vi.waitFor(() => expect(told(id).at(-1)?.data).toMatchObject(progress), { timeout: 5_000 });
/** No notice may follow before so many seconds from now have passed, but for that of the end of a job of which nothing was told yet. */
const holdBack = (id: string, seconds: number) =>
  planner.service.query(`UPDATE rollout SET told_at = now() + make_interval(secs => $2 - 1) WHERE id = $1`, [
    id,
    seconds,
  ]);
const placeOf = (id: string, which: (subject: string) => boolean) =>
  planner.service.events.findIndex(({ subject }) => subject.endsWith(`.${id}`) && which(subject));

describe('the notices of the progress of a job', () => {
  it('given a job over some seconds, then they follow its numbers to the last, count up by one, and no two are within a second', async () => {
    const { id } = await rollouts.start(60, { max_in_flight: 20 });
    let done = 0;
    const succeed = async (count: number) => {
      await planner.answer(id, (await planner.askedFor(id, done + count)).slice(done, done + count));
      done += count;
      await planner.progressed(id, { succeeded: done });
    };
    // Nothing else happens until it is told.
    await succeed(2);
    await lastToldAre(id, { targeted: 60, succeeded: 2 });
    await succeed(3);
    await lastToldAre(id, { succeeded: 5, in_flight: 20 });
    // Much happens in each second.
    while (done < 59) await succeed(1);
    await planner.answer(id, planner.asked(id).slice(59), 'FAILURE');
    const { progress } = await planner.reached(id, 'Partially_successful');
    await lastToldAre(id, progress);

    await planner.act(id, 'retry');
    await planner.answer(id, (await planner.askedFor(id, 61)).slice(60));
    const end = await planner.reached(id, 'Successful');
    await lastToldAre(id, end.progress);
    const notices = told(id);
    expect(numbers(notices.at(-1)!.data)).toEqual(end.progress);
    expect(notices.map(({ data }) => data.number)).toEqual(notices.map((_, index) => index + 1));
    expect(notices.map(({ id: event }) => event)).toEqual(notices.map((_, index) => `job.progress.${id}.${index + 1}`));
    const times = notices.map(({ time }) => Date.parse(time));
    expect(Math.min(...times.slice(1).map((time, index) => time - times[index]!))).toBeGreaterThanOrEqual(1_000);
    await rollouts.exact(id);
  });

  it('given a job that is over within its first second, then its end alone is told, before the event of the end', async () => {
    const { id } = await rollouts.start(2, {});
    await holdBack(id, 3_600);
    await planner.answer(id, await planner.askedFor(id, 2));
    const { progress } = await planner.reached(id, 'Successful');
    await lastToldAre(id, progress);
    await vi.waitUntil(() => planner.service.statesOf(id).at(-1) === 'Successful');
    expect(told(id)).toHaveLength(1);
    expect(placeOf(id, (subject) => subject.includes('.progress.'))).toBeLessThan(
      placeOf(id, (subject) => subject.includes('.Successful.')),
    );
    expect(planner.service.statesOf(id)).toEqual(['Waiting', 'Running', 'Successful']);
  });

  it('given an end within a second of a notice, then the last numbers are told once that is over, and nothing after them', async () => {
    const { id } = await rollouts.start(2, {});
    const items = await planner.askedFor(id, 2);
    await lastToldAre(id, { in_flight: 2 });
    await holdBack(id, 2);
    await planner.answer(id, items);
    const { progress } = await planner.reached(id, 'Successful');
    expect(told(id)).toHaveLength(1);
    await lastToldAre(id, progress);
    expect(told(id)).toHaveLength(2);
    const rows = await planner.service.query(`SELECT told, tell_at, due_at FROM rollout WHERE id = $1`, [id]);
    expect(rows).toEqual([{ told: 2, tell_at: null, due_at: null }]);
  });

  it('given a restart while something is yet to be told, then it is told all the same', async () => {
    const { id } = await rollouts.start(3, {});
    const items = await planner.askedFor(id, 3);
    await holdBack(id, 2);
    await planner.answer(id, items.slice(0, 1));
    await planner.progressed(id, { succeeded: 1 });
    expect(told(id)).toEqual([]);
    await planner.service.restart();
    await lastToldAre(id, { succeeded: 1, in_flight: 2 });
    await planner.answer(id, items.slice(1));
    await planner.reached(id, 'Successful');
  });
});
