import type { NewStage, StageRun, WaitingEntry } from '@muster/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { planOf } from '../testing/plan-of-test.js';
import { RunningPipelines } from '../testing/running-pipelines.js';
import { runsOf } from '../testing/runs-of-test.js';
import { PROJECT } from '../testing/running-planner.js';
import { hoursFromNow, told, waitingIn } from '../testing/waiting-of-test.js';
import { pageSql, SOURCES } from './waiting.sources.js';

const HOUR_SECONDS = 3_600;
/** Hours of a run, and of a stage, that do not say how long they may take. */
const RUN = 21 * 24;
const STAGE = 7 * 24;

let running: RunningPipelines;

beforeAll(async () => {
  running = await RunningPipelines.start();
});
afterAll(() => running.planner.service.stop());

const { pipelineOf, startRun, runOf, setRun, stageRuns, targetRuns, reached, askedFor } = runsOf(() => running);
const waiting = (limit: number, entity?: WaitingEntry['entity']) => waitingIn(running.planner, limit, entity);

/** What waits in words, with the hours until it is due: those that are due at one time in the order of their words. */
const withHours = async (entity?: WaitingEntry['entity']) =>
  (await waiting(2, entity))
    .map((entry) => ({ due: entry.due_at!, text: `${told([entry])[0]} ${hoursFromNow(entry)}` }))
    .sort((a, b) => (`${a.due} ${a.text}` < `${b.due} ${b.text}` ? -1 : 1))
    .map(({ text }) => text);
const times = (count: number, text: string) => Array<string>(count).fill(text);

async function started(stages: NewStage[], devices: number, operations?: string[]) {
  const run = await startRun(await pipelineOf(stages, running.planner.nodes(devices), operations));
  return { run, stages: await stageRuns(run) };
}

/** Nothing of a stage run begins any more. */
async function isStopped({ id }: StageRun): Promise<boolean> {
  const sql = `SELECT 1 FROM rollout WHERE id = $1 AND wish <> 'cancel' AND NOT (at_rest AND wish = 'run')`;
  return (await running.planner.service.query(sql, [id])).length === 0;
}

/** Ends all that goes on, so that the next test begins with nothing that waits. */
async function cancelled({ run, stages }: Awaited<ReturnType<typeof started>>): Promise<void> {
  await setRun(run, 'cancelled');
  for (const stage of stages) {
    // Before that the end of a command makes room for another device, whose command would never end.
    await expect.poll(() => isStopped(stage)).toBe(true);
    const under = (await targetRuns(stage.id)).filter(({ status }) =>
      ['processing', 'dispatched', 'running'].includes(status),
    );
    for (const { stage_run_operation_id, command_id } of under) {
      const items = running.planner.asked(stage_run_operation_id).filter((item) => item.command_id === command_id);
      await running.planner.answer(stage_run_operation_id, items, 'CANCELLED');
    }
  }
  await reached(run, 'cancelled');
  expect(await waiting(1)).toEqual([]);
}

const timeout = { in_progress_seconds: HOUR_SECONDS, offline_seconds: 2 * HOUR_SECONDS };

describe('what waits of runs of pipelines', () => {
  it('given a run, then it, its stages and its target runs say what for and until when', async () => {
    const going = await started(
      [{ name: 'one', rollout: { max_in_flight: 1, timeout } }, { name: 'two' }, { name: 'three' }],
      3,
      ['A', 'B'],
    );
    const [one] = going.stages as [StageRun];
    const a = await askedFor(one, 0, 1);
    expect(await withHours('pipeline-run')).toEqual([`pipeline-run running in_flight ${RUN}`]);
    await expect
      .poll(() => withHours('stage-run'))
      .toEqual(['stage-run running in_flight 0', ...times(2, `stage-run pending slot ${RUN}`)]);
    // A command takes three hours at most and each device has two of them, one device after the other.
    expect(await withHours('target-run')).toEqual([
      'target-run processing in_flight 3',
      ...times(3, 'target-run pending slot 18'),
      ...times(2, 'target-run queued slot 18'),
    ]);
    const all = await waiting(1);
    const targets = await targetRuns(one.id);
    expect(new Set(all.map(({ id }) => id))).toEqual(
      new Set([going.run, ...going.stages, ...targets].map(({ id }) => id)),
    );
    for (const { id, device_id } of all)
      expect(device_id).toBe(targets.find((target) => target.id === id)?.device_id ?? null);

    await running.planner.answer(a.operation, a.items);
    const b = await askedFor(one, 1, 1);
    await running.planner.step(b.operation, b.items, 'INITIATED');
    await expect
      .poll(() => withHours('target-run'))
      .toEqual([
        'target-run running in_flight 3',
        ...times(2, 'target-run pending slot 18'),
        ...times(2, 'target-run queued slot 18'),
      ]);
    await cancelled(going);
  });

  it('given a run that waits for promotion, then its next stage waits for approval, and the one behind for its turn', async () => {
    const going = await started([{ name: 'one', promotion: 'manual' }, { name: 'two' }, { name: 'three' }], 1);
    const { operation, items } = await askedFor(going.stages[0]!, 0, 1);
    await running.planner.answer(operation, items);
    await reached(going.run, 'waiting');
    expect(await withHours()).toEqual([
      `pipeline-run waiting approval ${RUN}`,
      `stage-run pending approval ${RUN}`,
      `stage-run pending slot ${RUN}`,
    ]);
    const next = (await waiting(1, 'stage-run')).find(({ waits_for }) => waits_for === 'approval');
    expect(next!.id).toBe(going.stages[1]!.id);
    await cancelled(going);
  });

  it('given a run whose stage waits for an approval, then so does the run, here as in its progress', async () => {
    const going = await started([{ name: 'one', rollout: { waves: [{ approval: true }] } }, { name: 'two' }], 1);
    await expect
      .poll(async () => told(await waiting(10)).toSorted())
      .toEqual([
        'pipeline-run running approval',
        'stage-run pending slot',
        'stage-run processing approval',
        'target-run queued approval',
      ]);
    expect(await runOf(going.run.id)).toMatchObject({ progress: { waiting_for: 'approval' } });
    await cancelled(going);
  });

  it('given a stage that a stop rule pauses, then it and what is left of it wait for approval until its time is up', async () => {
    const rollout = { max_in_flight: 1, abort: [{ count: 1, action: 'pause' as const }] };
    const going = await started([{ name: 'one', rollout }, { name: 'two' }], 2, ['A', 'B']);
    const { operation, items } = await askedFor(going.stages[0]!, 0, 1);
    await running.planner.answer(operation, items, 'FAILURE');
    await reached(going.run, 'waiting');
    expect(await withHours()).toEqual([
      `stage-run running approval ${STAGE}`,
      `target-run pending approval ${STAGE}`,
      `target-run queued approval ${STAGE}`,
      `pipeline-run waiting approval ${RUN}`,
      `stage-run pending slot ${RUN}`,
    ]);
    await cancelled(going);
  });

  it('given a paused stage with an end, then it and what is left of it, also what rests between two tries, wait until then', async () => {
    const retry = [{ outcome: 'failed' as const, max: 1, backoff_seconds: HOUR_SECONDS, jitter: 0 }];
    const end_at = new Date(Date.now() + 5 * HOUR_SECONDS * 1000).toISOString();
    const abort = [{ outcome: 'rejected' as const, count: 1, action: 'pause' as const }];
    const going = await started([{ name: 'one', rollout: { max_in_flight: 2, abort, retry, end_at } }], 3);
    const { operation, items } = await askedFor(going.stages[0]!, 0, 2);
    await running.planner.answer(operation, items.slice(0, 1), 'FAILURE', '', { code: 'rejected' });
    await running.planner.answer(operation, items.slice(1), 'FAILURE');
    await reached(going.run, 'waiting');
    expect(await withHours()).toEqual([
      'stage-run running approval 5',
      'target-run dispatched approval 5',
      'target-run queued approval 5',
      `pipeline-run waiting approval ${RUN}`,
    ]);
    await cancelled(going);
  });

  it('given devices that are offline or tried again, then their target runs say so, and wait for a slot once they may go on', async () => {
    const retry = [{ outcome: 'failed' as const, max: 1, backoff_seconds: 5 * HOUR_SECONDS, jitter: 0 }];
    const going = await started([{ name: 'one', rollout: { max_in_flight: 1, timeout, retry } }], 3);
    const [one] = going.stages as [StageRun];
    const { operation, items: first } = await askedFor(one, 0, 1);
    await running.planner.step(operation, first, 'HELD');
    const second = (await askedFor(one, 0, 2)).items.slice(1);
    await expect
      .poll(() => withHours('target-run'))
      .toEqual(expect.arrayContaining(['target-run dispatched offline 0', 'target-run processing in_flight 3']));
    await running.planner.answer(operation, second, 'FAILURE');
    const third = (await askedFor(one, 0, 3)).items.slice(2);
    expect(await withHours('target-run')).toEqual([
      'target-run dispatched offline 0',
      'target-run processing in_flight 3',
      'target-run dispatched retry_at 5',
    ]);
    await running.planner.step(operation, first, 'REACHABLE');
    // The one that has the slot may keep it so long.
    await expect.poll(() => withHours('target-run')).toContain('target-run dispatched slot 3');
    await running.planner.answer(operation, third);
    await expect
      .poll(() => withHours('target-run'))
      .toEqual(['target-run dispatched in_flight 3', 'target-run dispatched retry_at 5']);
    await cancelled(going);
  });

  it('given a device that did an operation while it was taken for offline, then its next one waits for a slot, once', async () => {
    const going = await started([{ name: 'one', rollout: { max_in_flight: 1, timeout } }], 2, ['A', 'B']);
    const [one] = going.stages as [StageRun];
    const { operation, items } = await askedFor(one, 0, 1);
    await running.planner.step(operation, items, 'HELD');
    await askedFor(one, 0, 2);
    await running.planner.answer(operation, items);
    await expect
      .poll(async () => told(await waiting(10, 'target-run')).toSorted())
      .toEqual(['target-run pending slot', 'target-run pending slot', 'target-run processing in_flight']);
    await cancelled(going);
  });

  it('given a window that has closed, then target runs wait for the next one, also those that were asked for in vain', async () => {
    const clock = (hours: number) => new Date(Date.now() + hours * HOUR_SECONDS * 1000).toISOString().slice(11, 16);
    const window = { start: clock(-1), end: clock(1), timezone: 'UTC' };
    const going = await started([{ name: 'one', rollout: { max_in_flight: 1, window } }], 2);
    const [one] = going.stages as [StageRun];
    const { operation, items } = await askedFor(one, 0, 1);
    await running.planner.service.query(
      `UPDATE rollout SET spec = jsonb_set(spec, '{window,start}', $2) WHERE id = $1`,
      [one.id, JSON.stringify(clock(0.5))],
    );
    await running.planner.answer(operation, items, 'TIMEOUT', 'never_contacted', { sent: false });
    await expect
      .poll(async () => told(await waiting(1)).toSorted())
      .toEqual([
        'pipeline-run running window',
        'stage-run running window',
        'target-run dispatched window',
        'target-run queued window',
      ]);
    await cancelled(going);
  });

  it('given windows on the clocks of devices, then the target runs of each wait for its own', async () => {
    const clock = (hours: number) => new Date(Date.now() + hours * HOUR_SECONDS * 1000).toISOString().slice(11, 16);
    const nodes = running.planner.nodes(2);
    running.planner.zones.set(nodes[1]!, 'Asia/Tokyo');
    const stages = [{ name: 'one', rollout: { timeout, window: { start: clock(-1), end: clock(1) } } }];
    const run = await startRun(await pipelineOf(stages, nodes));
    const going = { run, stages: await stageRuns(run) };
    await askedFor(going.stages[0]!, 0, 1);
    await expect
      .poll(() => withHours('target-run'))
      .toEqual(['target-run processing in_flight 3', 'target-run queued window 14']);
    await cancelled(going);
  });

  it('given many target runs, then a page of those that wait reads no more than it has', async () => {
    const going = await started([{ name: 'one', rollout: { max_in_flight: 1 } }], 2);
    const [one] = going.stages as [StageRun];
    await askedFor(one, 0, 1);
    const query = running.planner.service.query.bind(running.planner.service);
    await query(
      `INSERT INTO target_run (project_id, id, state, version, stage_run_id, stage_device_id, stage_run_operation_id, step, target_id, device_id,
         device_alias, created_by, updated_by, started_at, ended_at)
       SELECT project_id, gen_random_uuid(), CASE WHEN n > 10000 THEN 'success' ELSE state END, 99, stage_run_id, gen_random_uuid(),
         stage_run_operation_id, step, target_id, device_id, '', 0, 0, CASE WHEN n > 10000 THEN now() END, CASE WHEN n > 10000 THEN now() END
       FROM target_run, generate_series(1, 20000) n WHERE stage_run_id = $1 AND state = 'queued'`,
      [one.id],
    );
    await query(`ANALYZE target_run`);
    const page = pageSql([SOURCES['target-run']!]);
    const plan = await planOf(running.planner.service, page, [
      PROJECT,
      300,
      '-infinity',
      '00000000-0000-0000-0000-000000000000',
    ]);
    expect(plan.indexes).toContain('target_run_to_come');
    expect(plan.mostRead).toBeLessThanOrEqual(310);
    expect(await waiting(1000, 'target-run')).toHaveLength(10_002);
    await query(`DELETE FROM target_run WHERE stage_run_id = $1 AND version = 99`, [one.id]);
    await cancelled(going);
  });
});
