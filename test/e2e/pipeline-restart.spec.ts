import type { StageRun, TargetRun } from '@muster/contracts';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Stack } from '../harness/stack.js';
import { byEntity, gaps } from './events.js';
import { executionsOf, repetitions } from './executions.js';
import { eventsOf, executed, expectCounted, PipelinesClient, type StageOperation, type StageOf } from './pipelines.js';

const DEVICES = 300;
const SLOTS = 40;
const OPERATIONS: readonly (readonly StageOperation[])[] = [
  [{ operation_type: 'PING' }],
  [{ operation_type: 'node_upgrade', args: { version: '2.1.0' } }, { operation_type: 'REBOOT' }],
  [{ operation_type: 'PING' }],
];
const PATIENCE = { timeout: 30_000, interval: 10 };

let stack: Stack;
let client: PipelinesClient;
let fleet: ChildProcess;
let log: string;
let devices: string[];

beforeAll(async () => {
  stack = await Stack.start();
  client = new PipelinesClient(stack);
  log = join(stack.dataDir, 'executions.ndjson');
  fleet = await stack.fleet(['--count', String(DEVICES), '--prefix', 'p', '--latency', '20-120', '--executions', log]);
  const { body } = await stack.api<{ devices: { id: string }[] }>('GET', '/api/v1/devices?name_prefix=p&limit=1000');
  devices = body.devices.map(({ id }) => id);
});
afterAll(() => stack?.stop());

/** Waits until so many devices of a stage have ended; gives its stage run then. */
async function ended(run: string, stage: number, count: number): Promise<StageRun> {
  let stageRun: StageRun | undefined;
  await expect
    .poll(async () => {
      stageRun = (await client.stageRuns(run))[stage]!;
      return stageRun.progress?.succeeded ?? 0;
    }, PATIENCE)
    .toBeGreaterThanOrEqual(count);
  return stageRun!;
}

/** The moves that a thing makes that is well all the way. */
const WELL = {
  'pipeline-run': [
    ...['pending', 'queued', 'processing', 'running', 'waiting', 'running', 'waiting', 'running'],
    ...['complete', 'success'],
  ],
  'stage-run': ['pending', 'queued', 'processing', 'running', 'complete', 'success'],
  'target-run': ['pending', 'queued', 'processing', 'dispatched', 'running', 'complete', 'success'],
};

/** What is not true of a target run that succeeded. */
function faultsOf(one: TargetRun): string[] {
  const { command_status, command_meta, status, created_at, started_at, ended_at, updated_at } = one;
  const times = [created_at, started_at, ended_at, updated_at];
  const faults = [
    status !== 'success' && `is ${status}`,
    command_status !== 'SUCCESS' && `its command ${command_status}`,
    command_meta.attempts !== 1 && `${command_meta.attempts} attempts`,
    (times.includes(null) || times.toSorted().join() !== times.join()) && `times ${times.join()}`,
  ];
  return faults.flatMap((fault) => (fault ? [`${one.id} ${fault}`] : []));
}

describe('a pipeline of three stages with manual promotion over 300 devices', () => {
  it('given that its planner is killed within a stage, and planner and dispatcher at a promotion, then it ends well, each device has executed each operation once, and no event is missing', async () => {
    const stages = OPERATIONS.map((operations, place): StageOf => ({
      name: `stage ${place + 1}`,
      promotion: 'manual',
      rollout: { max_in_flight: SLOTS },
      operations,
    }));
    const pipeline = await client.define(stages, devices);
    expect(await client.show(pipeline)).toMatchObject({ is_valid: true });
    const { id } = await client.start(pipeline);

    await client.reached(id, 'waiting');
    await client.set(id, 'running');
    const middle = await ended(id, 1, DEVICES / 4);
    expect(middle.progress!.succeeded).toBeLessThan(DEVICES);
    await stack.kill('job-planner');

    const waiting = await client.reached(id, 'waiting');
    expect(waiting.status_meta.reason).toBe('stage 2 is over: waits for promotion');
    await Promise.all([stack.kill('job-planner'), stack.kill('command-dispatcher')]);
    expect(await client.run(id)).toEqual(waiting);
    await client.set(id, 'running');
    await stack.kill('job-planner');

    expect(await client.reached(id, 'success', 'failure')).toMatchObject({ status: 'success', run_number: 1 });
    const whole = await client.whole(id);
    expectCounted(whole);
    expect(whole.stages.map(({ stageRun }) => [stageRun.status, stageRun.progress!.succeeded])).toEqual(
      OPERATIONS.map(() => ['success', DEVICES]),
    );
    const targetRuns = whole.stages.flatMap((stage) => stage.targetRuns);
    expect(targetRuns.flatMap(faultsOf)).toEqual([]);
    for (const [place, operations] of OPERATIONS.entries()) {
      const own = whole.stages[place]!.targetRuns;
      const byOperation = Map.groupBy(own, ({ stage_run_operation_id }) => stage_run_operation_id);
      expect([...byOperation.values()].map((some) => new Set(some.map(({ device_id }) => device_id)).size)).toEqual(
        operations.map(() => DEVICES),
      );
      expect(own).toHaveLength(DEVICES * operations.length);
    }

    const ran = await executionsOf(fleet, log);
    expect(repetitions(ran)).toEqual([]);
    expect(ran).toHaveLength(targetRuns.length);
    expect([...executed(targetRuns, ran).values()].filter((times) => times !== 1)).toEqual([]);

    const last = async () => (await eventsOf(stack, whole))['pipeline-run'].at(-1)?.data.to;
    await expect.poll(last, { timeout: 20_000 }).toBe('success');
    const events = await eventsOf(stack, whole);
    for (const entity of ['pipeline-run', 'stage-run', 'target-run'] as const) {
      expect(gaps(events[entity])).toEqual([]);
      const paths = [...byEntity(events[entity]).values()].map((own) => own.map(({ data }) => data.to).join());
      expect([entity, [...new Set(paths)]]).toEqual([entity, [WELL[entity].join()]]);
    }
    expect(byEntity(events['target-run']).size).toBe(targetRuns.length);
    expect(byEntity(events['stage-run']).size).toBe(OPERATIONS.length);
  });
});
