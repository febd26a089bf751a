import type { Device, Job, NewJob, RolloutPlan } from '@muster/contracts';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Stack } from '../harness/stack.js';
import { readEvents, readPlaced, type PlacedEvent } from './events.js';
import { byJob, executionsOf, repetitions, type Execution } from './executions.js';
import { expectExact, JOBS, tasksOf } from './jobs.js';

const DEVICES = 5_000;
/** The first wave: a percent of the devices, on which the bad release happens to work. */
const CANARIES = DEVICES / 100;
const SECOND_WAVE = DEVICES / 10;
const SLOTS = 100;
const LATENCY = ['--latency', '5-20'];
const PATIENCE = { timeout: 60_000, interval: 200 };

let stack: Stack;
let fleets: { process: ChildProcess; log: string }[];

/** A fleet that notes its executions. */
async function fleetOf(prefix: string, count: number, ...args: string[]): Promise<(typeof fleets)[number]> {
  const log = join(stack.dataDir, `${prefix}.ndjson`);
  const options = ['--prefix', prefix, '--count', String(count), '--executions', log, ...LATENCY, ...args];
  return { process: await stack.fleet(options, 120_000), log };
}

beforeAll(async () => {
  stack = await Stack.start();
  fleets = [
    await fleetOf('canary', CANARIES),
    await fleetOf('plain', DEVICES - CANARIES, '--failing-versions', '2.0.0'),
  ];
}, 240_000);
afterAll(() => stack?.stop());

const upgradeTo = (version: string, rollout: NewJob['rollout'] = {}): NewJob => ({
  job_name: 'firmware',
  job_type: 'node_upgrade',
  job_content: {
    target_type: 'node',
    target_query: { tags: 'simulated' },
    task_data: JSON.stringify({ version }),
  },
  rollout,
});

/** How many devices report which version. */
async function reportedVersions(): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let after: string | null = ''; after !== null;) {
    const path: string = `/api/v1/devices?limit=1000${after && `&after=${after}`}`;
    const { body } = await stack.api<{ devices: Device[]; next: string | null }>('GET', path);
    for (const { reported } of body.devices) {
      const version = String(reported['version']);
      counts[version] = (counts[version] ?? 0) + 1;
    }
    after = body.next;
  }
  return counts;
}

/** The devices that a job let begin, before and after it was told to stop, in the order in which that was committed. */
async function begunAround(id: string): Promise<{ before: string[]; after: string[] }> {
  const bus = await stack.events();
  const ended = () => readEvents(bus, `muster.evt.demo.job.Stopped.${id}`);
  await expect.poll(async () => (await ended()).length, PATIENCE).toBe(1);
  const [stop] = await readPlaced(bus, `muster.evt.demo.job.Stopping.${id}`);
  const begun = await readPlaced(bus, 'muster.evt.demo.job-task.Running.>');
  const own = begun.filter(({ event }) => event.data['job_id'] === id);
  const isBefore = ({ place }: PlacedEvent) => place < stop!.place;
  const deviceOf = ({ event }: PlacedEvent) => event.data['target_id'] as string;
  return {
    before: own.filter(isBefore).map(deviceOf),
    after: own.filter((one) => !isBefore(one)).map(deviceOf),
  };
}

const devicesOf = (executions: readonly Execution[]) => [...new Set(executions.map(({ device_id }) => device_id))];

const without = (some: readonly string[], others: readonly string[]) => {
  const left = new Set(some);
  for (const one of others) left.delete(one);
  return [...left];
};

describe('a release that breaks in the second wave of a rollout over 5,000 devices', () => {
  it('given a stop rule that rolls back, then no more devices get it than was planned, and all of them are brought back', async () => {
    await stack.reached(await stack.createJob({}, upgradeTo('1.1.0')), 'Successful');
    await expect.poll(reportedVersions, PATIENCE).toEqual({ '1.1.0': DEVICES });

    const upgrade = upgradeTo('2.0.0', {
      waves: [{ query: { tags: 'canary' }, success_threshold: 100 }, { percent: 10, success_threshold: 95 }, {}],
      max_in_flight: SLOTS,
      abort: [{ percent: 20, min_finished: 60, action: 'rollback' }],
    });
    const jobs = async () => (await stack.api<{ job_count: number }>('GET', JOBS)).body.job_count;
    const { status, body: plan } = await stack.api<RolloutPlan>('POST', `${JOBS}/plan`, upgrade);
    expect(status).toBe(200);
    expect(await jobs()).toBe(1);
    expect(plan.targets).toMatchObject({ count: DEVICES, offline: 0, left_out: [] });
    expect(plan.waves.map(({ devices }) => devices)).toEqual([CANARIES, SECOND_WAVE, DEVICES - CANARIES - SECOND_WAVE]);
    // After 50 that are well, 13 failures are a fifth of what has finished; by the last of them all slots are taken.
    const worst = { wave: 2, rule: 1, devices: CANARIES + 12 + SLOTS, wrong: 12 + SLOTS };
    expect(plan.exposure[1]).toEqual(worst);

    const id = await stack.createJob({}, upgrade);
    const stopped = await stack.reached(id, 'Stopped');
    const back = stopped.rollback_job_id!;
    const rollback: Job = await stack.reached(back, 'Successful');
    expect(stopped.reason).toBe('stop rule 1: 20 % of the finished devices did not succeed');
    expect(stopped.progress).toMatchObject({ succeeded: CANARIES, wave: { number: 2, of: 3 } });
    expect(stopped.progress.failed).toBeGreaterThanOrEqual(13);
    expect(rollback.rollback_of).toBe(id);
    await expect.poll(reportedVersions, PATIENCE).toEqual({ '1.1.0': DEVICES });

    const [tasks, tasksBack] = [await tasksOf(stack, id), await tasksOf(stack, back)];
    expect(tasks).toHaveLength(DEVICES);
    expectExact(stopped, tasks);
    expectExact(rollback, tasksBack);

    const logs = await Promise.all(fleets.map(({ process, log }) => executionsOf(process, log)));
    const executions = logs.flat();
    expect(repetitions(executions)).toEqual([]);
    const begun = await begunAround(id);
    expect(begun.after).toEqual([]);
    expect(begun.before.length).toBeGreaterThan(CANARIES);
    expect(begun.before.length).toBeLessThanOrEqual(worst.devices);
    const executed = await byJob(await stack.events(), executions);
    const exposed = devicesOf(executed.get(id)!);
    expect(exposed.length).toBeGreaterThanOrEqual(CANARIES + 13);
    expect(without(exposed, begun.before)).toEqual([]);
    const restored = devicesOf(executed.get(back)!);
    expect(without(exposed, restored)).toEqual([]);
    expect(without(restored, begun.before)).toEqual([]);
    expect(restored.toSorted()).toEqual(tasksBack.map(({ target_id }) => target_id).toSorted());
  }, 300_000);
});
