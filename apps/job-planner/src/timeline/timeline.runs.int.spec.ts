import { pipelineRuns, timelines, type StageRun, type TimelineEntry } from '@muster/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunningPipelines } from '../testing/running-pipelines.js';
import { PROJECT } from '../testing/running-planner.js';
import { runsOf } from '../testing/runs-of-test.js';

let running: RunningPipelines;

beforeAll(async () => {
  running = await RunningPipelines.start();
});
afterAll(() => running.planner.service.stop());

const { pipelineOf, startRun, stageRuns, targetRuns, reached, askedFor } = runsOf(() => running);

async function timelineOf(device_id: string, limit: number): Promise<TimelineEntry[]> {
  const read: TimelineEntry[] = [];
  for (let page = { entries: read, more: true }; page.more; read.push(...page.entries)) {
    const last = read.at(-1);
    page = await running.call(timelines['job-planner'], {
      project_id: PROJECT,
      device_id,
      limit,
      ...(last && { before: { at: last.at, id: last.id } }),
    });
  }
  return read;
}
const told = (entries: readonly TimelineEntry[]) =>
  entries.map(({ entity, state, reason }) => [entity, state, reason].join(' '));

describe('the target runs in the timeline of a device', () => {
  it('given a run and a job on a device, then when each was planned, when it began and how it is now, newest first, in pages', async () => {
    const [device, other] = running.planner.nodes(2) as [string, string];
    const pipeline = await pipelineOf(
      [{ name: 'one', rollout: { max_in_flight: 2 } }],
      [device, other],
      ['A', 'B', 'C'],
    );
    const run = await startRun(pipeline);
    const [one] = (await stageRuns(run)) as [StageRun];
    const a = await askedFor(one, 0, 2);
    await running.planner.answer(a.operation, a.items);
    const b = await askedFor(one, 1, 2);
    const job = await running.planner.create([device]);
    await running.planner.askedFor(job, 1);
    await running.planner.answer(b.operation, b.items, 'FAILURE', 'no space');
    await reached(run, 'failure');

    const entries = await timelineOf(device, 100);
    expect(told(entries).toSorted()).toEqual(
      [
        'job-task Running ',
        'job-task Waiting ',
        ...Array<string>(3).fill('target-run pending '),
        ...Array<string>(2).fill('target-run processing '),
        'target-run failure no space',
        'target-run invalid an operation before it did not succeed',
        'target-run success ',
      ].toSorted(),
    );
    expect(told(entries).slice(0, 2).toSorted()).toEqual([
      'target-run failure no space',
      'target-run invalid an operation before it did not succeed',
    ]);
    expect(told(entries).slice(2, 4)).toEqual(['job-task Running ', 'job-task Waiting ']);
    // The first may begin in the moment in which all are planned.
    expect(told(entries).slice(-4).toSorted()).toEqual([
      ...Array<string>(3).fill('target-run pending '),
      'target-run processing ',
    ]);
    expect(entries.map(({ at }) => at)).toEqual(
      entries
        .map(({ at }) => at)
        .toSorted()
        .toReversed(),
    );
    const failed = (await targetRuns(one.id)).find(
      (target) => target.device_id === device && target.status === 'failure',
    )!;
    expect(entries.find(({ state }) => state === 'failure')).toMatchObject({
      entity_id: failed.id,
      detail: {
        pipeline_run_id: run.id,
        pipeline_name: 'release',
        run_number: 1,
        stage_run_id: one.id,
        stage_name: 'one',
        operation_type: 'B',
        command_id: failed.command_id,
      },
    });
    for (const limit of [1, 4]) expect(await timelineOf(device, limit)).toEqual(entries);
    expect(new Set(entries.map(({ id }) => id)).size).toBe(entries.length);

    await running.call(pipelineRuns.deleteRun, { project_id: PROJECT, id: run.id });
    expect(told(await timelineOf(device, 100))).toEqual(['job-task Running ', 'job-task Waiting ']);
  });
});
