import { pipelineRuns, pipelines, type StageRun } from '@muster/contracts';
import type { RunningService } from '@muster/service/testing';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { NOT_FOUND, RunningPipelines } from '../testing/running-pipelines.js';
import { PROJECT } from '../testing/running-planner.js';
import { runsOf } from '../testing/runs-of-test.js';
import { FINISHED_STAGE_RUNS, TargetRunRetention } from './target-run.retention.js';

const DAY_MS = 86_400_000;

let running: RunningPipelines;

beforeAll(async () => {
  running = await RunningPipelines.start();
});
afterAll(() => running.planner.service.stop());

const { pipelineOf, startRun, runOf, setRun, stageRuns, targetRuns, reached, askedFor } = runsOf(() => running);
const query: RunningService['query'] = (sql, parameters) => running.planner.service.query(sql, parameters);
const clean = async (days: number) => {
  while (await running.planner.service.get(TargetRunRetention).step(Date.now() + days * DAY_MS));
};

/** How many target runs and devices' parts there are of a stage run. */
async function rows({ id }: StageRun): Promise<[number, number]> {
  const [row] = await query<{ runs: number; parts: number }>(
    `SELECT (SELECT count(*)::integer FROM target_run WHERE stage_run_id = $1) AS runs,
       (SELECT count(*)::integer FROM stage_device WHERE stage_run_id = $1) AS parts`,
    [id],
  );
  return [row!.runs, row!.parts];
}

async function succeed(stage: StageRun, operations: number, devices: number): Promise<void> {
  for (let step = 0; step < operations; step++) {
    const { operation, items } = await askedFor(stage, step, devices);
    await running.planner.answer(operation, items);
  }
}

describe('the target runs of stage runs, whose history is kept 30 days', () => {
  it('given a run whose first stage ended and whose second one goes on, then those of the first go after 30 days, and no sooner', async () => {
    const run = await startRun(
      await pipelineOf([{ name: 'one' }, { name: 'two' }, { name: 'three' }], running.planner.nodes(3), ['A', 'B']),
    );
    const [one, two] = (await stageRuns(run)) as [StageRun, StageRun];
    await succeed(one, 2, 3);
    const { operation, items } = await askedFor(two, 0, 3);
    const [gone] = await targetRuns(one.id);
    const [before] = await stageRuns(run);

    await clean(29.9);
    expect(await rows(one)).toEqual([6, 3]);
    await clean(30.1);
    expect([await rows(one), await rows(two)]).toEqual([
      [0, 0],
      [6, 3],
    ]);
    const [after, ...others] = await stageRuns(run);
    const at = expect.stringContaining(new Date().toISOString().slice(0, 10)) as string;
    expect(after).toEqual({ ...before, target_runs_deleted_at: at });
    expect(others.map(({ target_runs_deleted_at }) => target_runs_deleted_at)).toEqual([undefined, undefined]);
    const deleted = `the target runs of the stage run were deleted on ${new Date().toISOString().slice(0, 10)}`;
    await expect(targetRuns(one.id)).rejects.toMatchObject({ kind: 'not_found', message: deleted });
    const key = { project_id: PROJECT, stage_run_id: one.id, id: gone!.id };
    await expect(running.call(pipelineRuns.getTargetRun, key)).rejects.toMatchObject({ message: deleted });

    await setRun(run, 'cancelled');
    await vi.waitUntil(() => running.planner.cancels.some((batch) => batch.head.request_id === operation));
    await running.planner.answer(operation, items, 'CANCELLED');
    await reached(run, 'cancelled');
    await clean(31);
    expect(await rows(two)).toEqual([0, 0]);
    const words = (await stageRuns(run)).map(({ status, target_runs_deleted_at }) => [
      status,
      target_runs_deleted_at !== undefined,
    ]);
    expect(words).toEqual([
      ['success', true],
      ['cancelled', true],
      // It never began, and had none.
      ['cancelled', false],
    ]);
  });

  it('given a run that its user deletes, then it is gone at once for every reader, and its target runs follow in pages', async () => {
    const pipeline = await pipelineOf([{ name: 'one' }], running.planner.nodes(1));
    const run = await startRun(pipeline);
    const [one] = (await stageRuns(run)) as [StageRun];
    await succeed(one, 1, 1);
    await reached(run, 'success');
    const [target] = await targetRuns(one.id);
    await query(
      `WITH parts AS (
         INSERT INTO stage_device (project_id, id, state, version, stage_run_id, target_id, list_target_id, device_alias, device_id)
         SELECT project_id, gen_random_uuid(), state, version, stage_run_id, gen_random_uuid(), list_target_id, '', device_id
         FROM stage_device, generate_series(1, 1500) WHERE stage_run_id = $1 RETURNING *
       )
       INSERT INTO target_run (project_id, id, state, version, stage_run_id, stage_device_id, stage_run_operation_id, step, target_id, device_id,
         device_alias, created_by, updated_by)
       SELECT project_id, gen_random_uuid(), 'success', 1, stage_run_id, id, gen_random_uuid(), n, target_id, device_id, '', 0, 0
       FROM parts, generate_series(0, 1) n`,
      [one.id],
    );
    const key = { project_id: PROJECT, stage_run_id: one.id };
    await running.call(pipelines.pipeline.delete, { project_id: PROJECT, id: pipeline });
    expect((await runOf(run.id)).pipeline_name).toBe('release');
    await running.call(pipelineRuns.deleteRun, { project_id: PROJECT, id: run.id });
    await expect(runOf(run.id)).rejects.toEqual(NOT_FOUND);
    await expect(targetRuns(one.id)).rejects.toEqual(NOT_FOUND);
    await expect(running.call(pipelineRuns.getTargetRun, { ...key, id: target!.id })).rejects.toEqual(NOT_FOUND);
    await expect(running.call(pipelineRuns.getTargetRunCommand, { ...key, target_run_id: target!.id })).rejects.toEqual(
      NOT_FOUND,
    );
    const retention = running.planner.service.get(TargetRunRetention);
    expect([await retention.deletePage(), await retention.deletePage(), await retention.deletePage()]).toEqual([
      2_000, 2_000, 502,
    ]);
    expect(await retention.deletePage()).toBeUndefined();
    expect(await rows(one)).toEqual([0, 0]);
    for (const table of ['stage_run_operation WHERE stage_run_id', 'rollout WHERE id', 'stage_run WHERE id'])
      expect(await query(`SELECT FROM ${table} = $1`, [one.id])).toEqual([]);
  });

  it('given stage runs that are due, then they are found by their index', async () => {
    await query(`SET enable_seqscan = off`);
    const plan = await query<{ 'QUERY PLAN': string }>(
      `EXPLAIN SELECT project_id, id FROM stage_run WHERE ${FINISHED_STAGE_RUNS} AND state_at < now() ORDER BY state_at LIMIT 100`,
    );
    await query(`RESET enable_seqscan`);
    expect(plan.map((row) => row['QUERY PLAN']).join('\n')).toContain('Index Scan using stage_run_finished');
  });
});
