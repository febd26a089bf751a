import type { StageRun } from '@muster/contracts';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { RunAdvance } from '../runs/run.advance.js';
import { RunningPipelines } from '../testing/running-pipelines.js';
import { RolloutsOfTest } from '../testing/rollouts-of-test.js';
import { PROJECT } from '../testing/running-planner.js';
import { runsOf } from '../testing/runs-of-test.js';
import { stageTargets } from './stage-device.table.js';

let running: RunningPipelines;

beforeAll(async () => {
  running = await RunningPipelines.start();
});
afterAll(() => running.planner.service.stop());

const { pipelineOf, startRun, setRun, stageRuns, targetRuns, reached, askedFor } = runsOf(() => running);

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

  it('given a rollout whose end has passed, then what never began ran out of time, and what follows a failure builds on nothing', async () => {
    const end_at = new Date(Date.now() + 3_600_000).toISOString();
    const rollout = { max_in_flight: 1, end_at };
    const run = await startRun(await pipelineOf([{ name: 'one', rollout }], running.planner.nodes(2), ['A', 'B']));
    const [one] = (await stageRuns(run)) as [StageRun];
    const { operation, items } = await askedFor(one, 0, 1);
    await running.planner.service.query(
      `UPDATE rollout SET spec = jsonb_set(spec, '{end_at}', $2), due_at = now() WHERE id = $1`,
      [one.id, JSON.stringify(new Date(Date.now() - 1000).toISOString())],
    );
    await expect.poll(() => told(one)).toContain('timeout end_at has passed');
    await running.planner.answer(operation, items, 'FAILURE', 'no space');
    await reached(run, 'failure');
    expect(await told(one)).toEqual([
      'failure no space',
      'invalid an operation before it did not succeed',
      'timeout end_at has passed',
      'timeout end_at has passed',
    ]);
  });

  it('given that end_at passes before all of them are planned, then the stage is a failure, though all that had a turn succeeded', async () => {
    const rollouts = new RolloutsOfTest(running.planner);
    const devices = running.planner.nodes(501);
    const goOn = rollouts.keepFrom(devices[500]!);
    const rollout = { end_at: new Date(Date.now() + 3_600_000).toISOString() };
    const run = await startRun(await pipelineOf([{ name: 'one', rollout }, { name: 'two' }], devices));
    const [one] = (await stageRuns(run)) as [StageRun];
    const { operation, items } = await askedFor(one, 0, 500);
    await running.planner.answer(operation, items);
    await expect.poll(async () => (await stageRuns(run))[0]!.progress).toMatchObject({ succeeded: 500, in_flight: 0 });
    await rollouts.over(one.id);
    await reached(run, 'failure');
    expect((await stageRuns(run)).map(({ status, reason }) => [status, reason])).toEqual([
      ['failure', 'end_at has passed before all devices were planned'],
      ['cancelled', 'stage 1 did not succeed'],
    ]);
    await goOn(one.id);
  });

  it('given an end_at that has passed when the run begins, then the time of the stage was up, and it is not one without devices', async () => {
    const end_at = new Date(Date.now() + 1_500).toISOString();
    const pipeline = await pipelineOf([{ name: 'one', rollout: { end_at } }], running.planner.nodes(1));
    await vi.waitUntil(() => Date.parse(end_at) < Date.now(), { timeout: 3_000 });
    const run = await startRun(pipeline);
    await reached(run, 'failure');
    expect((await stageRuns(run)).map(({ status, reason }) => [status, reason])).toEqual([
      ['timeout', 'end_at has passed before all devices were planned'],
    ]);
  });

  it('given one that is offline and to be skipped, then it is a failure, and what is left of it is cancelled; the run ends with the stage', async () => {
    const stages = [{ name: 'one', rollout: { offline: 'skip' as const } }, { name: 'two' }];
    const run = await startRun(await pipelineOf(stages, running.planner.nodes(1), ['A', 'B']));
    const [one] = (await stageRuns(run)) as [StageRun];
    const { operation, items } = await askedFor(one, 0, 1);
    await running.planner.step(operation, items, 'HELD');
    await reached(run, 'failure');
    const skipped = 'skipped: the device is offline';
    expect(await told(one)).toEqual([`cancelled ${skipped}`, `failure ${skipped}`]);
    expect((await targetRuns(one.id)).map(({ command_status }) => command_status).sort()).toEqual(['', 'CANCELLED']);
    expect((await stageRuns(run)).map(({ status, reason }) => [status, reason])).toEqual([
      ['failure', '1 of 1 devices did not succeed'],
      ['cancelled', 'stage 1 did not succeed'],
    ]);
  });

  it('given that all of them have ended, when their stage is stopped at the same time, then that wakes nothing', async () => {
    const run = await startRun(await pipelineOf([{ name: 'one' }, { name: 'two' }], running.planner.nodes(1)));
    const [one, two] = (await stageRuns(run)) as [StageRun, StageRun];
    const { operation, items } = await askedFor(one, 0, 1);
    await running.planner.answer(operation, items);
    await askedFor(two, 0, 1);
    await running.planner.service.get(RunAdvance).stopStage({ project_id: PROJECT, id: run.id }, one.id, 'cancelled');
    const rollout = await running.planner.service.query(`SELECT wish, at_rest, due_at FROM rollout WHERE id = $1`, [
      one.id,
    ]);
    expect(rollout).toEqual([{ wish: 'run', at_rest: true, due_at: null }]);
    await setRun(run, 'cancelled');
  });
});
