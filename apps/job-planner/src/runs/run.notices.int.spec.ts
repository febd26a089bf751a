import { pipelineRuns, type StageRun } from '@muster/contracts';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { RunningPipelines } from '../testing/running-pipelines.js';
import { PROJECT } from '../testing/running-planner.js';
import { runsOf } from '../testing/runs-of-test.js';

let running: RunningPipelines;

beforeAll(async () => {
  running = await RunningPipelines.start();
});
afterAll(() => running.planner.service.stop());

const { pipelineOf, startRun, runOf, stageRuns, reached, askedFor } = runsOf(() => running);

interface Notice {
  id: string;
  time: string;
  data: Record<string, unknown> & { number: number };
}

/** What was told of the progress of a run or a stage run, each notice once, in the order of their numbers. */
const told = (entity: 'pipeline-run' | 'stage-run', id: string): Notice[] => {
  const subject = `muster.evt.${PROJECT}.${entity}.progress.${id}`;
  const heard = running.planner.service.events.filter((event) => event.subject === subject);
  const notices = new Map(heard.map((event) => [event.id, event as unknown as Notice]));
  return [...notices.values()].sort((a, b) => a.data.number - b.data.number);
};
const lastToldAre = (entity: 'pipeline-run' | 'stage-run', id: string, progress: object) =>
  vi.waitFor(() => expect(told(entity, id).at(-1)?.data).toMatchObject(progress), { timeout: 5_000 });

/** They count up by one, and no two are within a second. */
function areApart(entity: 'pipeline-run' | 'stage-run', id: string): void {
  const notices = told(entity, id);
  expect(notices.map(({ data }) => data.number)).toEqual(notices.map((_, index) => index + 1));
  expect(notices.map((notice) => notice.id)).toEqual(notices.map((_, index) => `${id}.progress.${index + 1}`));
  const times = notices.map(({ time }) => Date.parse(time));
  expect(Math.min(...times.slice(1).map((time, index) => time - times[index]!))).toBeGreaterThanOrEqual(1_000);
}

describe('the notices of the progress of runs and stage runs', () => {
  it('given a run over some seconds, then they follow its numbers to the last, and those of its stage runs do', async () => {
    const stages = [{ name: 'one', promotion: 'manual' as const, on_failure: 'continue' as const }, { name: 'two' }];
    const run = await startRun(await pipelineOf(stages, running.planner.nodes(40)));
    const [one, two] = (await stageRuns(run)) as [StageRun, StageRun];
    const first = await askedFor(one, 0, 40);
    const counts = { targeted: 40, in_flight: 40, succeeded: 0 };
    await lastToldAre('stage-run', one.id, counts);
    const of = { of: 2, ended: 0, succeeded: 0 };
    await lastToldAre('pipeline-run', run.id, { ...counts, percent: 0, stages: of, waiting_for: 'in_flight' });
    expect((await runOf(run.id)).progress).toMatchObject({ ...counts, stages: of });

    // Much happens in each second.
    for (let at = 0; at < 30; at++) await running.planner.answer(first.operation, first.items.slice(at, at + 1));
    await lastToldAre('stage-run', one.id, { succeeded: 30, percent: 75 });
    await lastToldAre('pipeline-run', run.id, { succeeded: 30, percent: 37.5 });
    await running.planner.answer(first.operation, first.items.slice(30), 'FAILURE');
    await reached(run, 'waiting');
    const ended = { of: 2, ended: 1, succeeded: 0 };
    const waiting = { failed: 10, in_flight: 0, percent: 50, stages: ended, waiting_for: 'approval' };
    await lastToldAre('pipeline-run', run.id, waiting);

    await running.planner.service.restart();
    const { pipeline_id, id } = run;
    await running.call(pipelineRuns.setRun, { project_id: PROJECT, pipeline_id, id, status: 'running', by: 1 });
    const second = await askedFor(two, 0, 40);
    await running.planner.answer(second.operation, second.items);
    const { progress } = await reached(run, 'failure');
    // A device counts once for each stage.
    expect(progress).toMatchObject({ targeted: 80, succeeded: 70, failed: 10, percent: 100, waiting_for: null });
    expect(progress.stages).toEqual({ of: 2, ended: 2, succeeded: 1 });
    await lastToldAre('pipeline-run', run.id, progress);
    for (const stage of await stageRuns(run)) {
      await lastToldAre('stage-run', stage.id, stage.progress!);
      areApart('stage-run', stage.id);
    }
    areApart('pipeline-run', run.id);
    const { number: _number, project_id: _project, id: _id, ...numbers } = told('pipeline-run', run.id).at(-1)!.data;
    expect(numbers).toEqual(progress);
    const rows = () => running.planner.service.query(`SELECT watched, told FROM pipeline_run WHERE id = $1`, [run.id]);
    expect(await rows()).toEqual([{ watched: false, told: told('pipeline-run', run.id).length }]);
  });

  it('given a run that is invalid at once, then its end is told once, with no stage', async () => {
    const run = await startRun((await running.pipeline()).id);
    await reached(run, 'invalid');
    await lastToldAre('pipeline-run', run.id, {
      targeted: 0,
      stages: { of: 0, ended: 0, succeeded: 0 },
      waiting_for: null,
    });
    expect(told('pipeline-run', run.id)).toHaveLength(1);
  });
});
