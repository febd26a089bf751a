import type { StageRun } from '@muster/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunningPipelines } from '../testing/running-pipelines.js';
import { runsOf } from '../testing/runs-of-test.js';

let running: RunningPipelines;

beforeAll(async () => {
  running = await RunningPipelines.start();
});
afterAll(() => running.planner.service.stop());

const { pipelineOf, startRun, stageRuns, targetRuns, reached, askedFor } = runsOf(() => running);

describe('the operations of a device', () => {
  it('given a device that succeeds after its stage was cancelled, and before its own command was, then it does not begin what follows', async () => {
    const run = await startRun(await pipelineOf([{ name: 'one' }], running.planner.nodes(1), ['A', 'B']));
    const [one] = (await stageRuns(run)) as [StageRun];
    const { operation, items } = await askedFor(one, 0, 1);
    // The rollout has yet to come to the commands of its devices.
    await running.planner.service.query(
      `UPDATE rollout SET wish = 'cancel', reason = 'cancelled', due_at = NULL WHERE id = $1`,
      [one.id],
    );
    await running.planner.answer(operation, items);
    await reached(run, 'failure');
    expect((await targetRuns(one.id)).map(({ status, command_status }) => [status, command_status])).toEqual([
      ['success', 'SUCCESS'],
      ['cancelled', ''],
    ]);
    expect((await askedFor(one, 1, 0)).items).toEqual([]);
  });
});
