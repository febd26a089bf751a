import { pipelineRuns, type PipelineRun, type StageRun } from '@muster/contracts';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ADA, RunningPipelines } from '../testing/running-pipelines.js';
import { PROJECT } from '../testing/running-planner.js';
import { runsOf } from '../testing/runs-of-test.js';

let running: RunningPipelines;

beforeAll(async () => {
  running = await RunningPipelines.start();
});
afterAll(() => running.planner.service.stop());

const { pipelineOf, startRun, setRun, stageRuns, targetRuns, reached, askedFor } = runsOf(() => running);
const PAUSES = {
  max_in_flight: 1,
  abort: [{ count: 1, action: 'pause' as const }],
};

const cancelStage = (run: PipelineRun, { id }: StageRun): Promise<StageRun> =>
  running.call(pipelineRuns.cancelStageRun, {
    project_id: PROJECT,
    pipeline_run_id: run.id,
    id,
    by: ADA,
  });

/** A run whose first stage is paused: of its two devices one has failed. */
async function pausedRun() {
  const first = {
    name: 'one',
    rollout: PAUSES,
    on_failure: 'continue' as const,
  };
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

  it('given that the end of the paused rollout comes, then what never began has run out of time, and it goes on with the next one', async () => {
    const { run, one, two } = await pausedRun();
    await running.planner.service.query(
      `UPDATE rollout SET spec = jsonb_set(spec, '{end_at}', to_jsonb(now())), due_at = now() WHERE id = $1`,
      [one.id],
    );
    await askedFor(two, 0, 2);
    expect((await stageRuns(run))[0]).toMatchObject({ status: 'failure', progress: { failed: 1, timed_out: 1 } });
    expect((await targetRuns(one.id)).map(({ status }) => status).sort()).toEqual(['failure', 'timeout']);
    await reached(run, 'running');
    await setRun(run, 'cancelled');
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

  it('given that it was told to wait and then comes to its end, then it waits for nothing', async () => {
    const last = await startRun(await pipelineOf([{ name: 'one' }], running.planner.nodes(1)));
    const [one] = (await stageRuns(last)) as [StageRun];
    const { operation, items } = await askedFor(one, 0, 1);
    expect((await setRun(last, 'waiting')).status_meta.waits).toBe(true);
    await running.planner.answer(operation, items);
    expect((await reached(last, 'success')).status_meta).toEqual({ reason: '', waits: false });

    const { run } = await pausedRun();
    await setRun(run, 'running');
    await setRun(run, 'waiting');
    await setRun(run, 'cancelled');
    await expect(setRun(run, 'running')).rejects.toThrow(/a run that is (being )?cancelled cannot be set to running/);
    const [stage] = (await stageRuns(run)) as [StageRun];
    const again = await askedFor(stage, 0, 2);
    await running.planner.answer(again.operation, again.items.slice(1), 'CANCELLED');
    expect((await reached(run, 'cancelled')).status_meta).toEqual({ reason: 'cancelled', waits: false });
  });

  it('given that it is set running just as its paused stage is cancelled, then the stage stays cancelled', async () => {
    const { run, one } = await pausedRun();
    await running.planner.service.query('BEGIN');
    await running.planner.service.query('SELECT FROM rollout WHERE id = $1 FOR UPDATE', [one.id]);
    const set = setRun(run, 'running');
    await vi.waitUntil(() => waitsForLock());
    await running.planner.service.query(`UPDATE stage_run SET ending = 'cancelled' WHERE id = $1`, [one.id]);
    await running.planner.service.query(
      `UPDATE rollout SET wish = 'cancel', reason = 'cancelled', at_rest = false, due_at = now() WHERE id = $1`,
      [one.id],
    );
    await running.planner.service.query('COMMIT');
    await set;
    await expect.poll(async () => (await stageRuns(run))[0]!.status).toBe('cancelled');
  });
});

async function waitsForLock(): Promise<boolean> {
  const found = await running.planner.service.query(
    `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  );
  return found.length > 0;
}
