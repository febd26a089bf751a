import type { Rollout, StageRun } from '@muster/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunningPipelines } from '../testing/running-pipelines.js';
import { runsOf } from '../testing/runs-of-test.js';
import { stageTargets } from './stage-device.table.js';

const DEVICES = 60;
const OPERATIONS = 80;

let running: RunningPipelines;

beforeAll(async () => {
  running = await RunningPipelines.start();
});
afterAll(() => running.planner.service.stop());

const { pipelineOf, startRun, setRun, stageRuns, reached, askedFor } = runsOf(() => running);

/** A run of one stage in which each of many devices has many operations. */
async function started(rollout: Rollout) {
  const operations = Array.from({ length: OPERATIONS }, () => 'INSTALL');
  const run = await startRun(await pipelineOf([{ name: 'one', rollout }], running.planner.nodes(DEVICES), operations));
  const [one] = (await stageRuns(run)) as [StageRun];
  return { run, one };
}

/** How many moves of target runs of a stage run the transaction made that made most of them. */
async function mostMoved({ id }: StageRun): Promise<number> {
  const [row] = await running.planner.service.query<{ most: number }>(
    `SELECT max(moved)::integer AS most FROM (
       SELECT sum(json_array_length(move -> 'ids')) AS moved FROM journal, json_array_elements(transitions) move
       WHERE move ->> 'entity' = 'target-run' AND move -> 'data' -> 'stage_run_id' ->> 'all' = $1 GROUP BY day, seq
     ) AS transactions`,
    [id],
  );
  return row!.most;
}

/** Some thousand at most: of each device all of its target runs once, and the first some times more. */
const FEW = 2_500;

describe('the steps of a stage in which a device has many operations', () => {
  it('given that the commands of all its devices fail at once, then each step still moves a bounded number of target runs', async () => {
    const { run, one } = await started({});
    const { operation, items } = await askedFor(one, 0, DEVICES);
    await running.planner.answer(operation, items, 'FAILURE');
    await reached(run, 'failure');
    expect(await running.planner.recount(one.id, stageTargets)).toMatchObject({ targeted: DEVICES, failed: DEVICES });
    expect(await mostMoved(one)).toBeLessThanOrEqual(FEW);
  });

  it('given that it is cancelled before most of its devices begin, then each step still moves a bounded number of target runs', async () => {
    const { run, one } = await started({ max_in_flight: 1 });
    const { operation, items } = await askedFor(one, 0, 1);
    await expect.poll(async () => (await stageRuns(run))[0]!.progress?.targeted).toBe(DEVICES);
    await setRun(run, 'cancelled');
    await running.planner.answer(operation, items, 'CANCELLED');
    await reached(run, 'cancelled');
    expect(await running.planner.recount(one.id, stageTargets)).toMatchObject({ cancelled: DEVICES });
    expect(await mostMoved(one)).toBeLessThanOrEqual(FEW);
  });
});
