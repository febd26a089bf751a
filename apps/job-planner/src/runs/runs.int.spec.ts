import { pipelineRuns, pipelines, type StageRun, type TargetRun } from '@muster/contracts';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ADA, BOB, RunningPipelines } from '../testing/running-pipelines.js';
import { PROJECT } from '../testing/running-planner.js';
import { runsOf } from '../testing/runs-of-test.js';

let running: RunningPipelines;

beforeAll(async () => {
  running = await RunningPipelines.start();
});
afterAll(() => running.planner.service.stop());

const { pipelineOf, startRun, runOf, setRun, stageRuns, targetRuns, reached, askedFor } = runsOf(() => running);
const words = (runs: TargetRun[]) => runs.map(({ status }) => status).sort();

describe('a run of a pipeline', () => {
  it('given two stages, then each device does its operations one after the other, and the second stage begins after the first', async () => {
    const devices = running.planner.nodes(3);
    const pipeline = await pipelineOf([{ name: 'canary' }, { name: 'rest' }], devices, ['DOWNLOAD', 'INSTALL']);
    const run = await startRun(pipeline);
    expect(run).toMatchObject({ run_number: 1, pipeline_name: 'release', created_by: ADA });
    const [first, second] = (await stageRuns(run)) as [StageRun, StageRun];
    const download = await askedFor(first, 0, 3);
    expect(running.planner.requests.find((batch) => batch.head.request_id === download.operation)!.head).toMatchObject({
      command: 'DOWNLOAD',
      args: { app: 'kiosk' },
      steps_to: 'muster.work.job-planner.step',
    });
    await running.planner.step(download.operation, download.items.slice(0, 1), 'QUEUED');
    await running.planner.step(download.operation, download.items.slice(1, 2), 'INITIATED');
    await expect
      .poll(async () => words(await targetRuns(first.id)))
      .toEqual(['dispatched', 'pending', 'pending', 'pending', 'processing', 'running']);
    await running.planner.answer(download.operation, download.items);
    const install = await askedFor(first, 1, 3);
    await running.planner.answer(install.operation, install.items);
    await vi.waitUntil(async () => (await stageRuns(run))[1]!.status !== 'pending');
    const done = await targetRuns(first.id);
    expect(words(done)).toEqual(Array(6).fill('success'));
    expect(done[0]).toMatchObject({ command_status: 'SUCCESS', command_meta: { attempts: 1, reason: '' } });
    for (const step of [0, 1]) {
      const { operation, items } = await askedFor(second, step, 3);
      await running.planner.answer(operation, items);
    }
    const ended = await reached(run, 'success');
    expect(ended.ended_at).not.toBeNull();
    expect((await stageRuns(run)).map(({ status, progress }) => [status, progress!.succeeded])).toEqual([
      ['success', 3],
      ['success', 3],
    ]);
    await vi.waitUntil(() => running.planner.service.statesOf(run.id).at(-1) === 'success');
    expect(running.planner.service.statesOf(run.id)).toEqual([
      'pending',
      'queued',
      'processing',
      'running',
      'complete',
      'success',
    ]);
    expect(running.planner.service.statesOf(done[0]!.id).at(-1)).toBe('success');
  });

  it('given an operation that fails on a device, then it does not go on with the next one, and the stage fails', async () => {
    const pipeline = await pipelineOf([{ name: 'only' }, { name: 'never' }], running.planner.nodes(2), ['A', 'B']);
    const run = await startRun(pipeline);
    const [stage, never] = (await stageRuns(run)) as [StageRun, StageRun];
    const a = await askedFor(stage, 0, 2);
    await running.planner.answer(a.operation, a.items.slice(0, 1), 'FAILURE', 'no space', { code: 'disk_full' });
    await running.planner.answer(a.operation, a.items.slice(1));
    const b = await askedFor(stage, 1, 1);
    await running.planner.answer(b.operation, b.items);
    await reached(run, 'failure');
    expect(words(await targetRuns(stage.id))).toEqual(['failure', 'invalid', 'success', 'success']);
    const failed = (await targetRuns(stage.id)).find(({ status }) => status === 'failure')!;
    expect(failed).toMatchObject({
      command_status: 'FAILURE',
      command_meta: { reason: 'no space', code: 'disk_full', attempts: 1 },
    });
    expect(
      (await targetRuns(stage.id))
        .filter(({ status }) => status !== 'failure')
        .map(({ command_meta }) => command_meta.code),
    ).toEqual(['', '', '']);
    expect((await stageRuns(run)).map(({ status, reason }) => [status, reason])).toEqual([
      ['failure', '1 of 2 devices did not succeed'],
      ['cancelled', 'stage 1 did not succeed'],
    ]);
    expect(await targetRuns(never.id)).toEqual([]);
  });

  it('given manual promotion, then it waits after the stage until somebody promotes it; another run is refused meanwhile', async () => {
    const pipeline = await pipelineOf(
      [{ name: 'one', promotion: 'manual' }, { name: 'two' }],
      running.planner.nodes(1),
    );
    const run = await startRun(pipeline);
    await expect(startRun(pipeline)).rejects.toMatchObject({ kind: 'conflict' });
    expect(await startRun(pipeline, run.id)).toMatchObject({ id: run.id, run_number: 1 });
    const [one, two] = (await stageRuns(run)) as [StageRun, StageRun];
    const first = await askedFor(one, 0, 1);
    await running.planner.answer(first.operation, first.items);
    expect((await reached(run, 'waiting')).status_meta.reason).toBe('stage 1 is over: waits for promotion');
    await running.planner.service.restart();
    expect((await setRun(run, 'running')).updated_by).toBe(BOB);
    const second = await askedFor(two, 0, 1);
    await running.planner.answer(second.operation, second.items);
    await reached(run, 'success');
    for (const status of ['running', 'waiting', 'cancelled'] as const)
      await expect(setRun(run, status)).rejects.toMatchObject({
        kind: 'invalid',
        details: { errors: [{ field: 'status' }] },
      });
    expect((await startRun(pipeline)).run_number).toBe(2);
  });

  it('given that it is to wait, then the stage under way ends first, and the next one waits', async () => {
    const pipeline = await pipelineOf([{ name: 'one' }, { name: 'two' }], running.planner.nodes(1));
    const run = await startRun(pipeline);
    const [one] = (await stageRuns(run)) as [StageRun];
    const first = await askedFor(one, 0, 1);
    expect((await setRun(run, 'waiting')).status_meta.waits).toBe(true);
    await running.planner.answer(first.operation, first.items);
    await reached(run, 'waiting');
    await setRun(run, 'running');
    await reached(run, 'running');
  });

  it('given a cancel, then what is under way is cancelled, what waits never begins, and it comes to rest', async () => {
    const pipeline = await pipelineOf(
      [{ name: 'one', rollout: { max_in_flight: 1 } }, { name: 'two' }],
      running.planner.nodes(3),
      ['A', 'B'],
    );
    const run = await startRun(pipeline);
    const [one] = (await stageRuns(run)) as [StageRun];
    const { operation, items } = await askedFor(one, 0, 1);
    await running.planner.step(operation, items, 'INITIATED');
    await expect.poll(async () => words(await targetRuns(one.id))).toContain('running');
    await setRun(run, 'cancelled');
    await vi.waitUntil(() => running.planner.cancels.some((batch) => batch.head.request_id === operation));
    await running.planner.answer(operation, items, 'CANCELLED', 'cancelled');
    expect((await reached(run, 'cancelled')).status_meta.reason).toBe('cancelled');
    expect((await stageRuns(run)).map(({ status }) => status)).toEqual(['cancelled', 'cancelled']);
    expect(words(await targetRuns(one.id))).toEqual([
      'cancelled',
      'cancelled',
      'cancelled',
      'cancelled',
      'cancelled',
      'failure',
    ]);
    await expect(setRun(run, 'running')).rejects.toMatchObject({ kind: 'invalid' });
    expect((await setRun(run, 'cancelled')).status).toBe('cancelled');
  });

  it('given a cancel, when a device says that what it was at succeeded all the same, then that is a success, and what follows is cancelled', async () => {
    const run = await startRun(await pipelineOf([{ name: 'one' }], running.planner.nodes(1), ['A', 'B']));
    const [one] = (await stageRuns(run)) as [StageRun];
    const { operation, items } = await askedFor(one, 0, 1);
    await setRun(run, 'cancelled');
    await vi.waitUntil(() => running.planner.cancels.some((batch) => batch.head.request_id === operation));
    await running.planner.answer(operation, items, 'SUCCESS');
    await reached(run, 'cancelled');
    expect((await targetRuns(one.id)).map(({ status, command_status }) => [status, command_status])).toEqual([
      ['success', 'SUCCESS'],
      ['cancelled', ''],
    ]);
  });

  it('given a stage whose rollout a stop rule pauses, then the run waits, and goes on when it is set running', async () => {
    const rollout = { max_in_flight: 1, abort: [{ count: 1, action: 'pause' as const }] };
    const pipeline = await pipelineOf([{ name: 'one', rollout, on_failure: 'continue' }], running.planner.nodes(2));
    const run = await startRun(pipeline);
    const [one] = (await stageRuns(run)) as [StageRun];
    const first = await askedFor(one, 0, 1);
    await running.planner.answer(first.operation, first.items, 'FAILURE');
    expect((await reached(run, 'waiting')).status_meta.reason).toBe('stage 1 is paused');
    await setRun(run, 'running');
    const second = await askedFor(one, 0, 2);
    await running.planner.answer(second.operation, second.items.slice(1));
    await reached(run, 'failure');
  });

  it('given a time that is up, then the stage, and the run, end so', async () => {
    const pipeline = await pipelineOf([{ name: 'one', timeout_seconds: 1 }], running.planner.nodes(1));
    const run = await startRun(pipeline);
    const [one] = (await stageRuns(run)) as [StageRun];
    const { operation, items } = await askedFor(one, 0, 1);
    await vi.waitUntil(() => running.planner.cancels.some((batch) => batch.head.request_id === operation));
    await running.planner.answer(operation, items, 'CANCELLED');
    await reached(run, 'failure');
    expect((await stageRuns(run))[0]).toMatchObject({ status: 'timeout', reason: 'its time was up' });
    expect(await targetRuns(one.id)).toMatchObject([{ status: 'timeout', command_status: 'CANCELLED' }]);
  });

  it('given no stage, no operation or no device, then it is invalid where that is', async () => {
    const { status_meta } = await reached(await startRun((await running.pipeline()).id), 'invalid');
    expect(status_meta.reason).toBe('the pipeline has no stage');
    const nothing = await running.pipeline();
    await running.stage(nothing.id);
    const run = await startRun(nothing.id);
    await reached(run, 'failure');
    expect((await stageRuns(run))[0]).toMatchObject({ status: 'invalid', reason: 'the stage has no operation' });
    const nobody = await startRun(await pipelineOf([{ name: 'one' }], []));
    await reached(nobody, 'failure');
    expect((await stageRuns(nobody))[0]).toMatchObject({ status: 'invalid', reason: 'no device to work on' });
  });

  it('given that the stage is changed after the start, then the run keeps to what it was', async () => {
    const devices = running.planner.nodes(1);
    const pipeline = await pipelineOf([{ name: 'one', promotion: 'manual' }, { name: 'two' }], devices);
    const run = await startRun(pipeline);
    const [one, two] = (await stageRuns(run)) as [StageRun, StageRun];
    await running.call(pipelines.stage.delete, {
      project_id: PROJECT,
      pipeline_id: pipeline,
      id: two.stage_id,
    });
    const first = await askedFor(one, 0, 1);
    await running.planner.answer(first.operation, first.items);
    await reached(run, 'waiting');
    await setRun(run, 'running');
    const second = await askedFor(two, 0, 1);
    await running.planner.answer(second.operation, second.items);
    await reached(run, 'success');
  });
});

describe('a target run', () => {
  const key = (stage: StageRun) => ({ project_id: PROJECT, stage_run_id: stage.id });

  it('given one that was not dispatched, then it may be cancelled; one that was may not, but its command', async () => {
    const pipeline = await pipelineOf([{ name: 'one', rollout: { max_in_flight: 1 } }], running.planner.nodes(2));
    const run = await startRun(pipeline);
    const [one] = (await stageRuns(run)) as [StageRun];
    const { operation, items } = await askedFor(one, 0, 1);
    await running.planner.step(operation, items, 'INITIATED');
    await expect.poll(async () => words(await targetRuns(one.id))).toEqual(['queued', 'running']);
    const [queued, under] = (await targetRuns(one.id)).sort((a, b) => (a.status < b.status ? -1 : 1)) as [
      TargetRun,
      TargetRun,
    ];
    await expect(
      running.call(pipelineRuns.cancelTargetRun, { ...key(one), id: under.id, by: ADA }),
    ).rejects.toMatchObject({
      kind: 'invalid',
    });
    expect(await running.call(pipelineRuns.cancelTargetRun, { ...key(one), id: queued.id, by: ADA })).toMatchObject({
      status: 'cancelled',
    });
    const asked = { ...key(one), target_run_id: under.id };
    expect(await running.call(pipelineRuns.getTargetRunCommand, asked)).toMatchObject({
      operation_id: operation,
      command: 'INSTALL',
      args: { app: 'kiosk' },
      request_id: items[0]!.command_id,
      request_status: 'initiated',
    });
    await running.call(pipelineRuns.cancelTargetRunCommand, { ...asked, command_id: items[0]!.command_id, by: ADA });
    await vi.waitUntil(() => running.planner.cancels.some((batch) => batch.head.request_id === operation));
    await running.planner.answer(operation, items, 'CANCELLED');
    await reached(run, 'failure');
    expect(words(await targetRuns(one.id))).toEqual(['cancelled', 'failure']);
  });

  it('given an operation that succeeds while its stage is being cancelled, then it has succeeded, and what follows it is cancelled', async () => {
    const run = await startRun(await pipelineOf([{ name: 'one' }], running.planner.nodes(2), ['A', 'B']));
    const [one] = (await stageRuns(run)) as [StageRun];
    const { operation, items } = await askedFor(one, 0, 2);
    await running.planner.step(operation, items.slice(0, 1), 'INITIATED');
    await expect.poll(async () => words(await targetRuns(one.id))).toContain('running');
    await setRun(run, 'cancelled');
    await vi.waitUntil(() => running.planner.cancels.some((batch) => batch.head.request_id === operation));
    await running.planner.answer(operation, items);
    await reached(run, 'cancelled');
    expect((await targetRuns(one.id)).map(({ status, command_status }) => [status, command_status]).sort()).toEqual([
      ['cancelled', ''],
      ['cancelled', ''],
      ['success', 'SUCCESS'],
      ['success', 'SUCCESS'],
    ]);
  });

  it('given a device that did its operation while it was taken for offline, then it does the next one', async () => {
    const run = await startRun(await pipelineOf([{ name: 'one' }], running.planner.nodes(1), ['A', 'B']));
    const [one] = (await stageRuns(run)) as [StageRun];
    const a = await askedFor(one, 0, 1);
    await running.planner.step(a.operation, a.items, 'HELD');
    await expect.poll(async () => (await stageRuns(run))[0]!.progress).toMatchObject({ offline: 1, in_flight: 0 });
    await running.planner.answer(a.operation, a.items);
    const b = await askedFor(one, 1, 1);
    expect((await stageRuns(run))[0]!.progress).toMatchObject({ offline: 0, pending: 0, in_flight: 1 });
    await running.planner.answer(b.operation, b.items);
    await reached(run, 'success');
    expect((await targetRuns(one.id)).map(({ status, command_meta }) => [status, command_meta.attempts])).toEqual([
      ['success', 1],
      ['success', 1],
    ]);
  });

  it('given a refusal, a time-out and a try that is followed by another, then its code is that of the last command', async () => {
    const retry = [{ outcome: 'failed' as const, max: 1, backoff_seconds: 0 }];
    const pipeline = await pipelineOf([{ name: 'one', rollout: { retry } }], running.planner.nodes(3));
    const run = await startRun(pipeline);
    const [one] = (await stageRuns(run)) as [StageRun];
    const { operation, items } = await askedFor(one, 0, 3);
    const [refused, lost, again] = items.map((item) => [item]) as [typeof items, typeof items, typeof items];
    await running.planner.answer(operation, refused, 'FAILURE', '', { code: 'no_handler' });
    await running.planner.answer(operation, lost, 'TIMEOUT', 'no answer', { code: 'in_progress_timeout' });
    await running.planner.answer(operation, again, 'FAILURE', 'busy', { code: 'busy' });
    const repeated = async () =>
      (await askedFor(one, 0, 4)).items.filter((item) => item.ref === again[0]!.ref).slice(1);
    await running.planner.answer(operation, await repeated());
    await reached(run, 'failure');
    const metas = new Map((await targetRuns(one.id)).map(({ device_id, command_meta }) => [device_id, command_meta]));
    expect([refused, lost, again].map(([item]) => metas.get(item!.device_id))).toEqual([
      { reason: 'no_handler', code: 'no_handler', attempts: 1 },
      { reason: 'no answer', code: 'in_progress_timeout', attempts: 1 },
      { reason: '', code: '', attempts: 2 },
    ]);
  });

  it('given a device that is added while the stage goes on, then it has one for each operation, once', async () => {
    const [listed, other] = running.planner.nodes(2) as [string, string];
    const pipeline = await pipelineOf([{ name: 'one' }], [listed], ['A', 'B']);
    const run = await startRun(pipeline);
    const [one] = (await stageRuns(run)) as [StageRun];
    await askedFor(one, 0, 1);
    const add = () =>
      running.call(pipelineRuns.addTargetRuns, { ...key(one), target_id: other, device_alias: 'till 2', by: ADA });
    const { target_runs } = await add();
    expect(target_runs.map(({ device_id, device_alias }) => [device_id, device_alias])).toEqual(
      Array(2).fill([other, 'till 2']),
    );
    expect((await add()).target_runs.map(({ id }) => id)).toEqual(target_runs.map(({ id }) => id));
    await askedFor(one, 0, 2);
    await expect(
      running.call(pipelineRuns.addTargetRuns, { ...key(one), target_id: uuid(), by: ADA }),
    ).rejects.toMatchObject({ kind: 'invalid' });
  });
});

describe('runs', () => {
  it('given a stage that has yet to find its devices, then its target list may not be deleted; once it has, it may', async () => {
    const stages = [{ name: 'one', promotion: 'manual' as const }, { name: 'two' }];
    const pipeline_id = await pipelineOf(stages, running.planner.nodes(1));
    const run = await startRun(pipeline_id);
    const [one, two] = (await stageRuns(run)) as [StageRun, StageRun];
    const first = await askedFor(one, 0, 1);
    const page = { project_id: PROJECT, pipeline_id, limit: 1, offset: 0 };
    const { id } = (await running.call(pipelines.targetList.list, page)).results[0]!;
    const remove = () => running.call(pipelines.targetList.delete, { project_id: PROJECT, pipeline_id, id });
    const refusal = { kind: 'conflict', message: `run ${run.id} of the pipeline has yet to work on the target list` };
    await expect(remove()).rejects.toMatchObject(refusal);
    await running.planner.answer(first.operation, first.items);
    await reached(run, 'waiting');
    await expect(remove()).rejects.toMatchObject(refusal);
    await setRun(run, 'running');
    const second = await askedFor(two, 0, 1);
    expect((await remove()).id).toBe(id);
    await running.planner.answer(second.operation, second.items);
    await reached(run, 'success');
  });

  it('given one that has ended, then it may be deleted with all that belongs to it; one that has not may not', async () => {
    const pipeline = await pipelineOf([{ name: 'one' }], running.planner.nodes(1));
    const run = await startRun(pipeline);
    const remove = () =>
      running.call(pipelineRuns.deleteRun, { project_id: PROJECT, pipeline_id: pipeline, id: run.id });
    const [one] = (await stageRuns(run)) as [StageRun];
    const { operation, items } = await askedFor(one, 0, 1);
    await expect(remove()).rejects.toMatchObject({ kind: 'invalid' });
    const removePipeline = () => running.call(pipelines.pipeline.delete, { project_id: PROJECT, id: pipeline });
    await expect(removePipeline()).rejects.toMatchObject({ kind: 'conflict' });
    await running.planner.answer(operation, items);
    await reached(run, 'success');
    await removePipeline();
    expect((await runOf(run.id)).pipeline_name).toBe('release');
    expect((await remove()).id).toBe(run.id);
    await expect(runOf(run.id)).rejects.toMatchObject({ kind: 'not_found' });
    await expect(targetRuns(one.id)).rejects.toMatchObject({ kind: 'not_found' });
    const foreign = { project_id: 'other', id: run.id };
    await expect(running.call(pipelineRuns.getRun, foreign)).rejects.toMatchObject({ kind: 'not_found' });
  });
});
