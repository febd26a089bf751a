import { pipelineRuns, type PipelineRun, type StageRun } from '@muster/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADA, RunningPipelines } from '../testing/running-pipelines.js';
import { PROJECT } from '../testing/running-planner.js';
import { runsOf } from '../testing/runs-of-test.js';

let running: RunningPipelines;

beforeAll(async () => {
  running = await RunningPipelines.start();
});
afterAll(() => running.planner.service.stop());

const { pipelineOf, startRun, setRun, stageRuns, reached, askedFor } = runsOf(() => running);
const PAUSES = { max_in_flight: 1, abort: [{ count: 1, action: 'pause' as const }] };

const cancelStage = (run: PipelineRun, { id }: StageRun): Promise<StageRun> =>
  running.call(pipelineRuns.cancelStageRun, { project_id: PROJECT, pipeline_run_id: run.id, id, by: ADA });

/** A run whose first stage is paused: of its two devices one has failed. */
async function pausedRun() {
  const first = { name: 'one', rollout: PAUSES, on_failure: 'continue' as const };
  const run = await startRun(await pipelineOf([first, { name: 'two' }], running.planner.nodes(2)));
  const [one, two] = (await stageRuns(run)) as [StageRun, StageRun];
  const { operation, items } = await askedFor(one, 0, 1);
  await running.planner.answer(operation, items, 'FAILURE');
  expect((await reached(run, 'waiting')).status_meta.reason).toBe('stage 1 is paused');
  return { run, one, two };
}

describe('a run that waits', () => {
  it('given that its paused stage is cancelled, then it goes on with the next one', async () => {
    const { run, one, two } = await pausedRun();
    await cancelStage(run, one);
    const { operation, items } = await askedFor(two, 0, 2);
    await running.planner.answer(operation, items);
    await reached(run, 'failure');
    expect((await stageRuns(run)).map(({ status }) => status)).toEqual(['cancelled', 'success']);
  });

  it('given that the time of its paused stage is up, then it goes on with the next one', async () => {
    const { run, one, two } = await pausedRun();
    await running.planner.service.query(`UPDATE stage_run SET deadline = now() WHERE id = $1`, [one.id]);
    await running.planner.service.query(`UPDATE pipeline_run SET due_at = now() WHERE id = $1`, [run.id]);
    await askedFor(two, 0, 2);
    await reached(run, 'running');
    expect((await stageRuns(run)).map(({ status }) => status)).toEqual(['timeout', 'running']);
  });

  it('given that the last stage, before which it waits, is cancelled, then it comes to its end', async () => {
    const stages = [{ name: 'one', promotion: 'manual' as const }, { name: 'two' }];
    const run = await startRun(await pipelineOf(stages, running.planner.nodes(1)));
    const [one, two] = (await stageRuns(run)) as [StageRun, StageRun];
    const { operation, items } = await askedFor(one, 0, 1);
    await running.planner.answer(operation, items);
    await reached(run, 'waiting');
    await cancelStage(run, two);
    await reached(run, 'failure');
  });
});
