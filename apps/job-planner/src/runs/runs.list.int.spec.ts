import { pipelineRuns, pipelines, type StageRun, type TargetRun } from '@muster/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADA, RunningPipelines } from '../testing/running-pipelines.js';
import { PROJECT } from '../testing/running-planner.js';
import { runsOf } from '../testing/runs-of-test.js';

let running: RunningPipelines;

beforeAll(async () => {
  running = await RunningPipelines.start();
});
afterAll(() => running.planner.service.stop());

const { pipelineOf, startRun, setRun, stageRuns, targetRuns, reached, askedFor } = runsOf(() => running);

const words = (runs: TargetRun[]) => runs.map(({ status }) => status).sort();

describe('the lists of runs', () => {
  it('given runs and what belongs to them, then their lists are filtered and ordered', async () => {
    const pipeline = await pipelineOf([{ name: 'one' }, { name: 'two' }], running.planner.nodes(2), ['A', 'B']);
    const named = `named ${pipeline}`;
    const rename = { project_id: PROJECT, id: pipeline, change: { name: named }, by: ADA };
    await running.call(pipelines.pipeline.change, rename);
    const first = await startRun(pipeline);
    const [one] = (await stageRuns(first)) as [StageRun];
    const { operation, items } = await askedFor(one, 0, 2);
    await running.planner.answer(operation, items.slice(0, 1), 'FAILURE');
    await expect.poll(async () => words(await targetRuns(one.id))).toContain('invalid');
    await running.planner.answer(operation, items.slice(1));
    const b = await askedFor(one, 1, 1);
    const page = { project_id: PROJECT, limit: 100, offset: 0 };
    const targets = async (filter: object) =>
      (await running.call(pipelineRuns.listTargetRuns, { ...page, stage_run_id: one.id, ...filter })).results;
    const ofB = await targets({ stage_run_operation_id: b.operation });
    expect(words(ofB)).toEqual(['invalid', 'processing']);
    expect(await targets({ stage_run_operation_id: b.operation, status: 'invalid' })).toHaveLength(1);
    const ordered = ['failure', 'invalid', 'processing', 'success'];
    expect((await targets({ ordering: 'status' })).map(({ status }) => status)).toEqual(ordered);
    expect((await targets({ ordering: '-status' })).map(({ status }) => status)).toEqual(ordered.toReversed());
    const stages = async (status: StageRun['status']) =>
      await running.call(pipelineRuns.listStageRuns, { ...page, pipeline_run_id: first.id, status });
    expect(await stages('running')).toMatchObject({ count: 1, results: [{ id: one.id }] });
    expect(await stages('failure')).toEqual({ count: 0, results: [] });

    await running.planner.answer(b.operation, b.items);
    await reached(first, 'failure');
    const second = await startRun(pipeline);
    const again = await askedFor((await stageRuns(second))[0]!, 0, 2);
    await setRun(second, 'cancelled');
    await running.planner.answer(again.operation, again.items, 'CANCELLED');
    await reached(second, 'cancelled');
    const third = await startRun(pipeline);
    const numbers = async (filter: object) =>
      (await running.call(pipelineRuns.listRuns, { ...page, pipeline_id: pipeline, ...filter })).results.map(
        ({ run_number }) => run_number,
      );
    expect(await numbers({})).toEqual([3, 2, 1]);
    expect(await numbers({ ordering: 'run_number' })).toEqual([1, 2, 3]);
    expect(await numbers({ ordering: '-run_number' })).toEqual([3, 2, 1]);
    expect(await numbers({ ordering: 'status' })).toEqual([2, 1, 3]);
    // What has not ended comes last either way.
    expect(await numbers({ ordering: 'ended_at' })).toEqual([1, 2, 3]);
    expect(await numbers({ ordering: '-ended_at' })).toEqual([2, 1, 3]);
    const all = await running.call(pipelineRuns.listRuns, {
      ...page,
      pipeline_name: named,
      ordering: '-pipeline__name',
    });
    expect([all.count, all.results.map(({ run_number }) => run_number)]).toEqual([3, [3, 2, 1]]);
    const everyone = (await running.call(pipelineRuns.listRuns, { ...page, ordering: 'pipeline__name' })).results;
    expect(everyone.map(({ pipeline_name }) => pipeline_name)).toEqual(
      everyone.map(({ pipeline_name }) => pipeline_name).sort(),
    );
    await setRun(third, 'cancelled');
  });

  it('given stages that say much, then a page has as many stage runs as an answer carries', async () => {
    const run = await startRun(await pipelineOf([{ name: 'one' }, { name: 'two' }, { name: 'three' }], []));
    await running.planner.service.query(
      `UPDATE stage_run SET meta = meta || jsonb_build_object('description', repeat('x', 200000)) WHERE pipeline_run_id = $1`,
      [run.id],
    );
    const asked = { project_id: PROJECT, pipeline_run_id: run.id, limit: 1000 };
    const first = await running.call(pipelineRuns.listStageRuns, { ...asked, offset: 0 });
    expect([first.count, first.results.map(({ stage_meta }) => stage_meta.name)]).toEqual([3, ['one', 'two']]);
    const second = await running.call(pipelineRuns.listStageRuns, { ...asked, offset: 2 });
    expect(second.results.map(({ stage_meta }) => stage_meta.name)).toEqual(['three']);
  });

  it('given that the last run of a pipeline was deleted, then the next one has a number of its own', async () => {
    const pipeline_id = await pipelineOf([{ name: 'one' }], []);
    const first = await startRun(pipeline_id);
    await reached(first, 'failure');
    await running.call(pipelineRuns.deleteRun, { project_id: PROJECT, pipeline_id, id: first.id });
    expect((await startRun(pipeline_id)).run_number).toBe(2);
  });
});
