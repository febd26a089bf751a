import { pipelineRuns, type StageRun } from '@muster/contracts';
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

describe('the devices of a stage', () => {
  it('given that a target list is deleted, then none of its devices is worked on, however long their removal takes', async () => {
    const stages = [{ name: 'one' }, { name: 'two', promotion: 'manual' as const }, { name: 'three' }];
    const pipeline = await pipelineOf(stages, running.planner.nodes(1));
    const run = await startRun(pipeline);
    const [one, two] = (await stageRuns(run)) as [StageRun, StageRun];
    const [target] = await running.planner.service.query<{ id: string }>(
      `SELECT id FROM target WHERE pipeline_id = $1`,
      [pipeline],
    );
    const first = await askedFor(one, 0, 1);
    await running.planner.answer(first.operation, first.items);
    const second = await askedFor(two, 0, 1);
    await running.planner.service.query(`DELETE FROM target_list WHERE pipeline_id = $1`, [pipeline]);
    const asked = { project_id: PROJECT, stage_run_id: two.id, target_id: target!.id, by: ADA };
    await expect(running.call(pipelineRuns.addTargetRuns, asked)).rejects.toMatchObject({ kind: 'invalid' });
    await running.planner.answer(second.operation, second.items);
    await reached(run, 'waiting');
    await setRun(run, 'running');
    await reached(run, 'failure');
    expect((await stageRuns(run))[2]).toMatchObject({ status: 'invalid', reason: 'no device to work on' });
  });
});

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

  it.each(['is at work', 'is taken for offline'])(
    'given a window, and a device that %s, then it has the whole of offline_seconds to come for each of them',
    async (where) => {
      const clock = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString().slice(11, 16);
      const rollout = { window: { start: clock(-1), end: clock(1), timezone: 'UTC' } };
      const run = await startRun(await pipelineOf([{ name: 'one', rollout }], running.planner.nodes(1), ['A', 'B']));
      const [one] = (await stageRuns(run)) as [StageRun];
      const a = await askedFor(one, 0, 1);
      if (where === 'is taken for offline') {
        await running.planner.step(a.operation, a.items, 'HELD');
        await expect.poll(async () => (await stageRuns(run))[0]!.progress!.offline).toBe(1);
      }
      await running.planner.service.query(`UPDATE stage_device SET contact_by = now() WHERE stage_run_id = $1`, [
        one.id,
      ]);
      await running.planner.answer(a.operation, a.items);
      const b = await askedFor(one, 1, 1);
      expect(Date.parse(b.items[0]!.expires_at!)).toBeGreaterThan(Date.now());
      await running.planner.answer(b.operation, b.items, 'TIMEOUT', 'never_contacted', { sent: false });
      const again = await askedFor(one, 1, 2);
      await running.planner.answer(b.operation, again.items.slice(1));
      await reached(run, 'success');
    },
  );

  it.each(['is at work', 'is taken for offline'])(
    'given a device that %s, and did its operation on the second try, then what the first came to is not said of the next one',
    async (where) => {
      const rollout = { retry: [{ outcome: 'failed' as const, max: 1, backoff_seconds: 0 }] };
      const run = await startRun(await pipelineOf([{ name: 'one', rollout }], running.planner.nodes(1), ['A', 'B']));
      const [one] = (await stageRuns(run)) as [StageRun];
      const { operation, items } = await askedFor(one, 0, 1);
      await running.planner.answer(operation, items, 'FAILURE');
      const again = (await askedFor(one, 0, 2)).items.slice(1);
      if (where === 'is taken for offline') {
        await running.planner.step(operation, again, 'HELD');
        await expect.poll(async () => (await stageRuns(run))[0]!.progress!.offline).toBe(1);
      }
      await running.planner.answer(operation, again);
      await askedFor(one, 1, 1);
      const parts = await running.planner.service.query(
        `SELECT step, outcome FROM stage_device WHERE stage_run_id = $1`,
        [one.id],
      );
      expect(parts).toEqual([{ step: 1, outcome: null }]);
      await setRun(run, 'cancelled');
    },
  );

  it('given one that took long before another, then the time to show the success of that begins when its device says so', async () => {
    const rollout = { evidence: { path: 'version', equals: '12.4' } };
    const [device] = running.planner.nodes(1) as [string];
    running.planner.reported.set(device, '12.3');
    const run = await startRun(await pipelineOf([{ name: 'one', rollout }], [device], ['A', 'B']));
    const [one] = (await stageRuns(run)) as [StageRun];
    const a = await askedFor(one, 0, 1);
    await running.planner.service.query(
      `UPDATE stage_device SET state_at = state_at - interval '2 hours' WHERE stage_run_id = $1`,
      [one.id],
    );
    await running.planner.answer(a.operation, a.items);
    const b = await askedFor(one, 1, 1);
    await running.planner.answer(b.operation, b.items);
    const looked = async () => {
      const [part] = await running.planner.service.query<{ asks: number }>(
        `SELECT asks FROM stage_device WHERE stage_run_id = $1 AND waits_for = 'proof'`,
        [one.id],
      );
      return part?.asks;
    };
    await expect.poll(looked).toBeGreaterThan(0);
    running.planner.reported.set(device, '12.4');
    await reached(run, 'success');
  });
});
