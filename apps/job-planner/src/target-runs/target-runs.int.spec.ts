import { pipelineRuns, type StageRun, type TargetRun } from '@muster/contracts';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { RolloutWork } from '../rollout/rollout.work.js';
import { stageTargets } from '../stage-runs/stage-device.table.js';
import { approvalOf, decide } from '../testing/approvals-of-test.js';
import { planOf } from '../testing/plan-of-test.js';
import { ADA, BOB, refusalOf, RunningPipelines } from '../testing/running-pipelines.js';
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
    const first = { ...key(one), target_run_id: target.id, command_id: items[0]!.command_id, by: BOB };
    await expect(running.call(pipelineRuns.cancelTargetRunCommand, first)).rejects.toEqual(
      refusalOf('request_status', 'the command has ended, and cannot be cancelled'),
    );
    expect((await targetRuns(one.id))[0]!.ended_at).toBeNull();
    await setRun(run, 'cancelled');
    await reached(run, 'cancelled');
  });

  it('given a device that waits for another try, then its target run shows what its last command came to, until it has the next', async () => {
    const retry = [{ outcome: 'failed' as const, max: 2, backoff_seconds: 3_600, jitter: 0 }];
    const run = await startRun(await pipelineOf([{ name: 'one', rollout: { retry } }], running.planner.nodes(1)));
    const [one] = (await stageRuns(run)) as [StageRun];
    const shown = async () => {
      const [{ status, command_id, command_status, command_meta }] = (await targetRuns(one.id)) as [TargetRun];
      return { status, command_id, command_status, command_meta };
    };
    const { operation, items } = await askedFor(one, 0, 1);
    await running.planner.step(operation, items, 'INPROGRESS');
    await expect.poll(shown).toMatchObject({ status: 'running', command_status: 'INPROGRESS' });
    await running.planner.answer(operation, items, 'FAILURE', 'disk full', { code: 'exit_1' });
    const failed = { status: 'running', command_id: items[0]!.command_id, command_status: 'FAILURE' };
    const meta = { reason: 'disk full', code: 'exit_1', attempts: 1 };
    await expect.poll(shown).toEqual({ ...failed, command_meta: meta });

    await running.planner.service.query(`UPDATE stage_device SET ask_at = now() WHERE stage_run_id = $1`, [one.id]);
    await running.planner.service.query(`UPDATE rollout SET due_at = now() WHERE id = $1`, [one.id]);
    const [, second] = (await askedFor(one, 0, 2)).items;
    const queued = { status: 'running', command_id: second!.command_id, command_status: 'QUEUED' };
    await expect.poll(shown).toEqual({ ...queued, command_meta: { reason: '', code: '', attempts: 2 } });

    await running.planner.answer(operation, [second!], 'TIMEOUT', 'lost', { code: 'in_progress_timeout' });
    await reached(run, 'failure');
    expect(await shown()).toMatchObject({ status: 'failure', command_status: 'TIMEOUT' });
  });

  it('given a device that waits for another try, when its run is cancelled, then no command of it was, and the last one stays what it was', async () => {
    const retry = [{ outcome: 'failed' as const, max: 1, backoff_seconds: 3_600, jitter: 0 }];
    const run = await startRun(await pipelineOf([{ name: 'one', rollout: { retry } }], running.planner.nodes(1)));
    const [one] = (await stageRuns(run)) as [StageRun];
    const { operation, items } = await askedFor(one, 0, 1);
    await running.planner.answer(operation, items, 'FAILURE', 'disk full');
    await expect.poll(() => targetRuns(one.id)).toMatchObject([{ status: 'dispatched', command_status: 'FAILURE' }]);
    await setRun(run, 'cancelled');
    await reached(run, 'cancelled');
    expect(await targetRuns(one.id)).toMatchObject([
      { status: 'failure', command_status: 'FAILURE', command_meta: { reason: 'cancelled' } },
    ]);
  });

  it('given a later operation of a device that is cancelled, then so are those behind it, also when the one before them fails', async () => {
    const run = await startRun(await pipelineOf([{ name: 'one' }], running.planner.nodes(1), ['A', 'B', 'C']));
    const [one] = (await stageRuns(run)) as [StageRun];
    const { operation, items } = await askedFor(one, 0, 1);
    const [, b] = (await targetRuns(one.id)) as [TargetRun, TargetRun, TargetRun];
    const cancelled = await running.call(pipelineRuns.cancelTargetRun, { ...key(one), id: b.id, by: BOB });
    expect(cancelled).toMatchObject({ status: 'cancelled', created_by: ADA, updated_by: BOB });
    await running.planner.answer(operation, items, 'FAILURE');
    await reached(run, 'failure');
    expect((await targetRuns(one.id)).map(({ status, updated_by }) => [status, updated_by])).toEqual([
      ['failure', ADA],
      ['cancelled', BOB],
      ['cancelled', BOB],
    ]);
  });

  it.each([
    ['waits in the queue of its device', 'cancelled', 'QUEUED', 'CANCELLED'],
    ['is held for its device, which is offline', 'cancelled', 'HELD', 'CANCELLED'],
    ['was sent, and its device stops it', 'failure', 'INITIATED', 'CANCELLED'],
    ['was sent, and its device does it all the same', 'success', 'INITIATED', 'SUCCESS'],
  ] as const)(
    'given one that is cancelled while its command is asked for, when it is heard afterwards that this %s, then its status is %s',
    async (_, status, step, outcome) => {
      const run = await startRun(await pipelineOf([{ name: 'one' }], running.planner.nodes(1)));
      const [one] = (await stageRuns(run)) as [StageRun];
      const { operation, items } = await askedFor(one, 0, 1);
      const [{ id }] = (await targetRuns(one.id)) as [TargetRun];
      const asked = await running.call(pipelineRuns.cancelTargetRun, { ...key(one), id, by: BOB });
      expect(asked.status).toBe('processing');
      const steps = items.map(({ command_id, ref }) => ({ command_id, ref, turn: 1, step }));
      // Not by the bus, where the outcome might overtake it.
      await running.planner.service
        .get(RolloutWork)
        .onStep({ project_id: PROJECT, head: { request_id: operation }, items: steps });
      await running.planner.answer(operation, items, outcome);
      await reached(run, status === 'success' ? 'success' : 'failure');
      expect(await targetRuns(one.id)).toMatchObject([{ status, command_status: outcome }]);
    },
  );

  it('given a command that is cancelled, then its target run says by whom', async () => {
    const run = await startRun(await pipelineOf([{ name: 'one' }], running.planner.nodes(1)));
    const [one] = (await stageRuns(run)) as [StageRun];
    const { operation, items } = await askedFor(one, 0, 1);
    const [target] = (await targetRuns(one.id)) as [TargetRun];
    const asked = { ...key(one), target_run_id: target.id, command_id: items[0]!.command_id, by: BOB };
    await running.call(pipelineRuns.cancelTargetRunCommand, asked);
    expect(await targetRuns(one.id)).toMatchObject([{ updated_by: BOB }]);
    await running.planner.answer(operation, items, 'CANCELLED');
    await reached(run, 'failure');
  });

  it('given a device that is added by its id in capitals, then it takes part, and its target runs say who added it', async () => {
    const [listed, other] = running.planner.nodes(2) as [string, string];
    const run = await startRun(await pipelineOf([{ name: 'one' }], [listed], ['A', 'B']));
    const [one] = (await stageRuns(run)) as [StageRun];
    await askedFor(one, 0, 1);
    const asked = { ...key(one), target_id: other.toUpperCase(), by: BOB };
    const { target_runs } = await running.call(pipelineRuns.addTargetRuns, asked);
    const added = { target_id: other, device_id: other, created_by: BOB, updated_by: BOB };
    expect(target_runs).toMatchObject([added, added]);
    expect((await targetRuns(one.id)).filter(({ created_by }) => created_by === ADA)).toHaveLength(2);
    await setRun(run, 'cancelled');
  });

  it('given a stage with many target runs, when a device is added, then of them all its own alone are read', async () => {
    const { service } = running.planner;
    const [listed, other] = running.planner.nodes(2) as [string, string];
    const run = await startRun(await pipelineOf([{ name: 'one' }], [listed], ['A', 'B']));
    const [one] = (await stageRuns(run)) as [StageRun];
    await askedFor(one, 0, 1);
    await service.query(
      `INSERT INTO target_run SELECT (jsonb_populate_record(r, jsonb_build_object('id', gen_random_uuid(), 'stage_device_id', gen_random_uuid()))).*
       FROM target_run r, generate_series(1, 5000) WHERE r.stage_run_id = $1`,
      [one.id],
    );
    await service.query(`ANALYZE target_run`);
    const asked = vi.spyOn(service.get(DataSource), 'query');
    const { target_runs } = await running.call(pipelineRuns.addTargetRuns, { ...key(one), target_id: other, by: BOB });
    expect(target_runs.map(({ device_id }) => device_id)).toEqual([other, other]);
    const [sql, parameters] = asked.mock.calls.find(([text]) => text.includes('JOIN target_run'))!;
    expect((await planOf(service, sql, parameters as unknown[])).mostRead).toBeLessThanOrEqual(100);
    await service.query(`DELETE FROM target_run WHERE stage_run_id = $1 AND device_id = $2`, [one.id, listed]);
    await setRun(run, 'cancelled');
  });

  it('given a stage whose waves are not known yet, then no device is added among its canaries, but afterwards to its last wave', async () => {
    const { planner } = running;
    const waves = [{ count: 1, approval: true }, { percent: 100 }];
    const [listed, other] = planner.nodes(2) as [string, string];
    const run = await startRun(await pipelineOf([{ name: 'one', rollout: { waves } }], [listed]));
    const [one] = (await stageRuns(run)) as [StageRun];
    const approval = await approvalOf(planner, one.id);
    const plan = (planned: boolean) =>
      planner.service.query(`UPDATE rollout SET planned = $2 WHERE id = $1`, [one.id, planned]);
    const add = () => running.call(pipelineRuns.addTargetRuns, { ...key(one), target_id: other, by: BOB });
    await plan(false);
    await expect(add()).rejects.toEqual(refusalOf('target_id', 'the stage run is processing: nothing joins it now'));
    await plan(true);
    expect((await add()).target_runs).toMatchObject([{ device_id: other }]);
    await planner.exactWaves(one.id, stageTargets);

    await decide(planner, approval.id, 'approve');
    const { operation, items } = await askedFor(one, 0, 1);
    await expect.poll(async () => (await stageRuns(run))[0]!.progress).toMatchObject({ in_flight: 1, pending: 1 });
    expect(items.map(({ device_id }) => device_id)).toEqual([listed]);
    await planner.answer(operation, items);
    const both = await planner.askedFor(operation, 2);
    expect(both.map(({ device_id }) => device_id)).toEqual([listed, other]);
    await planner.answer(operation, both.slice(1));
    await reached(run, 'success');
    await planner.exactWaves(one.id, stageTargets);
  });
});
