import { jobPlanner, timelines, type TimelineEntry } from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROJECT, RunningPlanner } from '../testing/running-planner.js';

let planner: RunningPlanner;

beforeAll(async () => {
  planner = await RunningPlanner.start();
});
afterAll(() => planner.service.stop());

const pageOf = (device_id: string, limit = 100, before?: TimelineEntry) =>
  planner.service.call(timelines['job-planner'], {
    project_id: PROJECT,
    device_id,
    limit,
    ...(before && { before: { at: before.at, id: before.id } }),
  });
const told = (entries: readonly TimelineEntry[]) => entries.map(({ state, reason }) => [state, reason].join(' '));

describe('the timeline of a device', () => {
  it('given a task that ended and one that waits, then their planning and their present state, newest first, in pages', async () => {
    const [other, device] = planner.nodes(2);
    const done = await planner.create([device!]);
    await planner.answer(done, await planner.askedFor(done, 1), 'FAILURE', 'no space');
    const [task] = (await planner.reached(done, 'Failed')).tasks;
    const open = await planner.create([other!, device!], { rollout: { max_in_flight: 1 }, job_name: 'later' });
    await planner.askedFor(open, 1);
    const { entries, more } = await pageOf(device!);
    expect(told(entries)).toEqual(['Waiting ', 'Failed no space', 'Waiting ']);
    expect(more).toBe(false);
    expect(entries[0]!.detail).toMatchObject({ job_id: open, job_name: 'later' });
    expect(entries.at(-1)).toMatchObject({
      entity: 'job-task',
      entity_id: task!.task_id,
      detail: { job_id: done, job_name: 'aaa', task_name: task!.task_name },
    });

    const read: TimelineEntry[] = [];
    for (let page = { entries: read, more: true }; page.more; read.push(...page.entries))
      page = await pageOf(device!, 1, read.at(-1));
    expect(read).toEqual(entries);
    expect(new Set(read.map(({ id }) => id)).size).toBe(read.length);
  });

  it('given a device without a task, or a job that was deleted, then there is nothing', async () => {
    const [device] = planner.nodes(1);
    expect(await pageOf(uuid())).toEqual({ entries: [], more: false });
    const id = await planner.create([device!]);
    await planner.answer(id, await planner.askedFor(id, 1));
    await planner.reached(id, 'Successful');
    expect((await pageOf(device!)).entries).toHaveLength(2);
    await planner.service.call(jobPlanner.deleteJob, { project_id: PROJECT, job_id: id });
    expect(await pageOf(device!)).toEqual({ entries: [], more: false });
  });
});
