import { pipelineRuns, type StageRun, type TargetRun } from '@muster/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { refusalOf, RunningPipelines } from '../testing/running-pipelines.js';
import { PROJECT } from '../testing/running-planner.js';
import { runsOf } from '../testing/runs-of-test.js';

let running: RunningPipelines;

beforeAll(async () => {
  running = await RunningPipelines.start();
});
afterAll(() => running.planner.service.stop());

const { pipelineOf, startRun, setRun, stageRuns, targetRuns, reached, askedFor } = runsOf(() => running);

const key = (stage: StageRun) => ({ project_id: PROJECT, stage_run_id: stage.id });

describe('what users do to target runs', () => {
  it('given a device that waits for another try, then the command of the last one has ended, and is not to be cancelled', async () => {
    const retry = [{ outcome: 'failed' as const, max: 1, backoff_seconds: 3_600, jitter: 0 }];
    const run = await startRun(await pipelineOf([{ name: 'one', rollout: { retry } }], running.planner.nodes(1)));
    const [one] = (await stageRuns(run)) as [StageRun];
    const { operation, items } = await askedFor(one, 0, 1);
    await running.planner.answer(operation, items, 'FAILURE');
    await expect.poll(async () => (await stageRuns(run))[0]!.progress).toMatchObject({ pending: 1, in_flight: 0 });
    const [target] = (await targetRuns(one.id)) as [TargetRun];
    const first = { ...key(one), target_run_id: target.id, command_id: items[0]!.command_id };
    await expect(running.call(pipelineRuns.cancelTargetRunCommand, first)).rejects.toEqual(
      refusalOf('request_status', 'the command has ended, and cannot be cancelled'),
    );
    expect((await targetRuns(one.id))[0]!.ended_at).toBeNull();
    await setRun(run, 'cancelled');
    await reached(run, 'cancelled');
  });
});
