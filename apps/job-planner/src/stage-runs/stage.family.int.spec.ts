import type { StageRun } from '@muster/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunningPipelines } from '../testing/running-pipelines.js';
import { runsOf } from '../testing/runs-of-test.js';
import { stageTargets } from './stage-device.table.js';

let running: RunningPipelines;

beforeAll(async () => {
  running = await RunningPipelines.start();
});
afterAll(() => running.planner.service.stop());

const { pipelineOf, startRun, setRun, stageRuns, targetRuns, askedFor } = runsOf(() => running);

/** The target runs of a stage in words, in the order of their words. */
const told = async ({ id }: StageRun) =>
  (await targetRuns(id)).map(({ status, command_meta }) => `${status} ${command_meta.reason}`.trim()).sort();

describe('the devices of a stage', () => {
  it('given a device that was taken for offline, when its success comes twice in one message, then it waits for its next operation once', async () => {
    const devices = running.planner.nodes(2);
    const run = await startRun(await pipelineOf([{ name: 'one', rollout: { max_in_flight: 1 } }], devices, ['A', 'B']));
    const [one] = (await stageRuns(run)) as [StageRun];
    const { operation, items } = await askedFor(one, 0, 1);
    await running.planner.step(operation, items, 'HELD');
    await askedFor(one, 0, 2);
    await running.planner.answer(operation, [...items, ...items]);
    await expect.poll(() => told(one)).toContain('success');
    const counts = { offline: 0, pending: 1, in_flight: 1 };
    expect((await stageRuns(run))[0]!.progress).toMatchObject(counts);
    expect(await running.planner.recount(one.id, stageTargets)).toMatchObject(counts);
    await setRun(run, 'cancelled');
  });
});
