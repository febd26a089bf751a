import { pipelineRuns, type StageRun } from '@muster/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADA, RunningPipelines } from '../testing/running-pipelines.js';
import { PROJECT } from '../testing/running-planner.js';
import { runsOf } from '../testing/runs-of-test.js';

let running: RunningPipelines;

beforeAll(async () => {
  running = await RunningPipelines.start();
});
afterAll(() => running.planner.service.stop());

const { pipelineOf, startRun, stageRuns, targetRuns, askedFor } = runsOf(() => running);

describe('what users do to target runs', () => {
  it('given many who cancel target runs of a stage at once, then each is cancelled, and nobody else waits for that', async () => {
    const rollout = { max_in_flight: 1 };
    const run = await startRun(await pipelineOf([{ name: 'one', rollout }], running.planner.nodes(41)));
    const [one] = (await stageRuns(run)) as [StageRun];
    await askedFor(one, 0, 1);
    const queued = (await targetRuns(one.id)).filter(({ status }) => status === 'queued');
    const cancelled = await Promise.all(
      queued.map(({ id }) =>
        running.call(pipelineRuns.cancelTargetRun, { project_id: PROJECT, stage_run_id: one.id, id, by: ADA }),
      ),
    );
    expect(cancelled.map(({ status }) => status)).toEqual(Array(40).fill('cancelled'));
  });
});
