import type { PipelineRun, Rollout, StageRun, TargetRun } from '@muster/contracts';
import fc from 'fast-check';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Stack } from '../harness/stack.js';
import { drawsOf, notingFleet, type Draw, type NotingFleet } from './cancels.js';
import { executionsOf, repetitions } from './executions.js';
import { ENDS, executed, expectCounted, PipelinesClient, timeless, type StageOf, type WholeRun } from './pipelines.js';

const SEED = 1;
const RUNS = 3;
const QUICK = 10;
const SLOW = 3;
const AWAY = 2;
const DAY = 86_400;
const GOOD = '1.1.0';
const BAD = '2.0.0';
const PATIENCE = { timeout: 30_000, interval: 10 };

let stack: Stack;
let client: PipelinesClient;
/** Devices that end a command soon; an upgrade to {@link BAD} fails. */
let quick: NotingFleet;
/** Devices that end a command only when they are told to stop it: no stage over one of them ends by itself. */
let slow: NotingFleet;
/** Devices that never come. */
let away: string[];
/** What was cancelled, as it was at its end. */
const cancelledRuns: WholeRun[] = [];

beforeAll(async () => {
  stack = await Stack.start();
  client = new PipelinesClient(stack);
  quick = await notingFleet(stack, 'quick', QUICK, '--latency', '5-40', '--failing-versions', BAD);
  slow = await notingFleet(stack, 'slow', SLOW, '--latency', '3600000');
  const register = (name: string) => stack.api<{ id: string }>('POST', '/api/v1/devices', { name });
  away = await Promise.all(Array.from({ length: AWAY }, async (_, n) => (await register(`away-${n}`)).body.id));
});
afterAll(() => stack?.stop());

const draws = drawsOf(QUICK);

/** A moment in the life of a run. */
interface Moment {
  version?: string;
  /** The rollout of the first stage. */
  rollout?: (draw: Draw) => Rollout;
  /** Devices that take part in the first stage beside the quick ones. */
  others?: () => string[];
  first?: Partial<StageOf>;
  second?: Partial<StageOf>;
  /** Waits for it. */
  come: (run: string, draw: Draw) => Promise<unknown>;
}

/** Waits until the stages of a run are so. */
const seen = (run: string, isSo: (stages: readonly StageRun[]) => boolean) =>
  expect.poll(async () => isSo(await client.stageRuns(run)), PATIENCE).toBe(true);

/** Waits until the rollout of the first stage waits so. */
const waitsFor =
  (what: NonNullable<StageRun['progress']>['waiting_for']): Moment['come'] =>
  (run) =>
    seen(run, ([first]) => first!.progress?.waiting_for === what);

/** Waits until the run itself waits, for this reason. */
const rests =
  (reason: string): Moment['come'] =>
  async (run) =>
    expect((await client.reached(run, 'waiting')).status_meta.reason).toBe(reason);

const ROLLOUTS: readonly Rollout[] = [
  {},
  { max_in_flight: 1 },
  { waves: [{ percent: 10 }, {}] },
  { waves: [{ approval: true }] },
  { rate_per_minute: 60 },
  { start_at: '2999-01-01T00:00:00Z' },
];

const OVER = 'stage 1 is over: waits for promotion';

const MOMENTS: Record<string, Moment> = {
  'right after the start': {
    rollout: ({ way }) => ROLLOUTS[way % ROLLOUTS.length]!,
    others: () => [...slow.ids, ...away],
    come: () => Promise.resolve(),
  },
  'within the first stage': {
    rollout: ({ part }) => ({ max_in_flight: SLOW + part }),
    others: () => slow.ids,
    come: (run, { part }) => seen(run, ([first]) => (first!.progress?.succeeded ?? 0) >= part),
  },
  'within the last stage': {
    second: { rollout: { max_in_flight: 1 } },
    come: (run) => seen(run, ([, second]) => (second!.progress?.in_flight ?? 0) > 0),
  },
  'while devices are awaited': {
    others: () => away,
    come: waitsFor('offline'),
  },
  'between two stages': {
    come: (run) => seen(run, ([first]) => ENDS.includes(first!.status)),
  },
  'while it waits for promotion': {
    first: { promotion: 'manual' },
    come: rests(OVER),
  },
  'just after the promotion': {
    first: { promotion: 'manual' },
    come: async (run, draw) => {
      await rests(OVER)(run, draw);
      await client.set(run, 'running');
    },
  },
  'while it is to wait': {
    others: () => slow.ids,
    come: (run) => client.set(run, 'waiting'),
  },
  'between two waves': {
    rollout: ({ part }) => ({ waves: [{ count: part, soak_seconds: DAY }, {}] }),
    come: waitsFor('soak'),
  },
  'during the approval of a wave': {
    rollout: ({ part, way }) => ({
      waves: way % 2 === 0 ? [{ approval: true }] : [{ count: part }, { approval: true }],
    }),
    come: waitsFor('approval'),
  },
  'during the pause before a retry': {
    version: BAD,
    rollout: () => ({ retry: [{ outcome: 'failed', max: 3, backoff_seconds: DAY }] }),
    come: waitsFor('retry_at'),
  },
  'while a stop rule has paused its stage': {
    version: BAD,
    rollout: () => ({ max_in_flight: 1, abort: [{ count: 1, action: 'pause' }] }),
    come: rests('stage 1 is paused'),
  },
};

/** Expects that what lists show of a run, and of what belongs to it, is what each document shows. */
async function expectListed({ run, stages }: WholeRun): Promise<void> {
  const own = (runs: PipelineRun[]) => runs.filter(({ id }) => id === run.id);
  expect(own(await client.all('/runs/'))).toEqual([run]);
  expect(await client.all(`/pipelines/${run.pipeline_id}/runs/`)).toEqual([run]);
  for (const { stageRun, targetRuns } of stages) {
    expect(timeless(await client.ask<StageRun>('GET', `/runs/${run.id}/stageruns/${stageRun.id}/`))).toEqual(stageRun);
    const path = `/stageruns/${stageRun.id}/targetruns/`;
    const shown = await Promise.all(targetRuns.map(({ id }) => client.ask('GET', `${path}${id}/`)));
    expect(shown).toEqual(targetRuns);
  }
}

/** Cancels a run, waits until it is at its end, and looks at what is left of it. */
async function cancelled(id: string, times: number): Promise<void> {
  await Promise.all(Array.from({ length: times }, () => client.set(id, 'cancelled')));
  await client.reached(id, 'cancelled');
  const whole = await client.whole(id);
  expectCounted(whole);
  const targetRuns = whole.stages.flatMap((stage) => stage.targetRuns);
  for (const { status, ended_at } of [...whole.stages.map(({ stageRun }) => stageRun), ...targetRuns, whole.run])
    expect([status, ended_at]).toEqual([expect.toBeOneOf([...ENDS]), expect.any(String)]);
  expect(whole.stages.some(({ stageRun }) => stageRun.status === 'cancelled')).toBe(true);
  expect(targetRuns.filter((one) => !isSound(one))).toEqual([]);
  await expectListed(whole);
  expect(await client.set(id, 'cancelled')).toEqual(whole.run);
  expect(await client.whole(id)).toEqual(whole);
  cancelledRuns.push(whole);
}

/** Whether what a target run says of its command goes with its status: none was ever dispatched to one that was cancelled. */
function isSound({ status, command_id, command_status, started_at }: TargetRun): boolean {
  if (status === 'success') return command_status === 'SUCCESS' && started_at !== null;
  if (status === 'failure') return ['FAILURE', 'CANCELLED'].includes(command_status) && command_id !== null;
  return status === 'cancelled' || (status === 'invalid' && command_id === null);
}

/** The commands of which these devices said that they had succeeded. */
async function succeeded({ ends }: NotingFleet): Promise<string[]> {
  const lines = (await readFile(ends, 'utf8')).split('\n').filter((line) => line !== '');
  const told = lines.map((line) => JSON.parse(line) as { command_id: string; status: string });
  return told.flatMap(({ command_id, status }) => (status === 'success' ? [command_id] : []));
}

/** Commands of these devices that have not ended. */
async function openCommands(): Promise<unknown[]> {
  const devices = [...quick.ids, ...slow.ids, ...away].join();
  const path = `/api/commands/v0/status/?limit=1000&device=${devices}`;
  const { body } = await stack.api<{ content: { count: number; results: { state: string }[] } }>('GET', path);
  return body.content.results.filter(({ state }) => !['SUCCESS', 'FAILURE', 'TIMEOUT', 'CANCELLED'].includes(state));
}

const waiting = async () => (await stack.api<{ waiting: object[] }>('GET', '/api/v1/waiting')).body.waiting;

describe('a cancel', () => {
  it.each(Object.entries(MOMENTS))(
    'given a run of a pipeline, when it is cancelled %s, then it comes to its end, nothing of it is left open, and a second cancel changes nothing',
    async (_name, { version = GOOD, rollout, others, first, second, come }) => {
      const property = fc.asyncProperty(draws, async (draw) => {
        const some = quick.ids.slice(0, draw.quick);
        const lists = [some, others?.() ?? []];
        const upgrade = { operation_type: 'node_upgrade', args: { version } };
        const stages: StageOf[] = [
          {
            name: 'first',
            operations: [upgrade, { operation_type: 'PING' }],
            devices: (draw.slowFirst ? lists.toReversed() : lists).flat(),
            ...(rollout && { rollout: rollout(draw) }),
            ...first,
          },
          { name: 'second', operations: [{ operation_type: 'PING' }], devices: [...some, ...slow.ids], ...second },
        ];
        const { id } = await client.start(await client.define(stages));
        await come(id, draw);
        await cancelled(id, draw.cancels);
        await expect.poll(openCommands, PATIENCE).toEqual([]);
        await expect.poll(waiting, PATIENCE).toEqual([]);
      });
      await fc.assert(property, { seed: SEED, numRuns: RUNS, endOnFailure: true });
    },
  );

  it('given all those cancels, then devices are free, none executed an operation twice or after its run had ended, and what it said to have done is a success', async () => {
    const { id } = await client.start(
      await client.define([{ name: 'after', operations: [{ operation_type: 'PING' }] }], quick.ids),
    );
    await client.reached(id, 'success');
    const logs = await Promise.all([quick, slow].map(({ process, log }) => executionsOf(process, log)));
    const executions = logs.flat();
    expect(repetitions(executions)).toEqual([]);
    expect(cancelledRuns).toHaveLength(RUNS * Object.keys(MOMENTS).length);
    const done = new Set((await Promise.all([quick, slow].map(succeeded))).flat());
    let ran = 0;
    for (const { run, stages } of cancelledRuns) {
      const targetRuns = stages.flatMap((stage) => stage.targetRuns);
      const times = executed(targetRuns, executions);
      for (const one of targetRuns) {
        const count = times.get(one.id)!;
        const isDone = one.command_id !== null && done.has(one.command_id);
        expect([one, count]).toEqual([one, one.status === 'success' ? 1 : expect.toBeOneOf([0, 1])]);
        expect([one, one.status === 'success']).toEqual([one, isDone]);
        ran += count;
      }
      const commands = new Set(targetRuns.map(({ command_id }) => command_id));
      const late = executions.filter(({ command_id, at }) => commands.has(command_id) && at > run.ended_at!);
      expect(late).toEqual([]);
    }
    // Every execution was one of a target run, as it is shown: the last run's have one each.
    expect(executions.length - ran).toBe(QUICK);
    const approvals = await stack.api<{ approvals: { state: string }[] }>('GET', '/api/v1/approvals?state=pending');
    expect(approvals.body.approvals).toEqual([]);
  });
});
