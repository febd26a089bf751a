import type { Job, Rollout } from '@muster/contracts';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Stack } from '../harness/stack.js';
import { drawsOf, notingFleet, type Draw, type NotingFleet } from './cancels.js';
import { byEntity, readEvents } from './events.js';
import { byJob, executionsOf, repetitions } from './executions.js';
import { expectExact, JOBS, tasksOf } from './jobs.js';

const SEED = 1;
const RUNS = 6;
const QUICK = 12;
const SLOW = 4;
const DAY = 86_400;
const GOOD = '1.1.0';
const BAD = '2.0.0';
const PATIENCE = { timeout: 30_000, interval: 10 };

let stack: Stack;
/** Devices that end a command soon; an upgrade to {@link BAD} fails. */
let quick: NotingFleet;
/** Devices that end a command only when they are told to stop it: no job over one of them ends by itself. */
let slow: NotingFleet;

beforeAll(async () => {
  stack = await Stack.start();
  quick = await notingFleet(stack, 'quick', QUICK, '--latency', '5-40', '--failing-versions', BAD);
  slow = await notingFleet(stack, 'slow', SLOW, '--latency', '3600000');
});
afterAll(() => stack?.stop());

const draws = drawsOf(QUICK);

/** A moment in the life of a job. */
interface Moment {
  version: string;
  /** Whether the slow devices take part. */
  hasSlow: boolean;
  rollout: (draw: Draw) => Rollout;
  /** Waits for it. @returns the jobs that are to be cancelled, one after the other. */
  come: (id: string, draw: Draw) => Promise<string[]>;
}

/** Waits until a job is so. */
async function seen(id: string, isSo: (job: Job) => boolean): Promise<Job> {
  let job = await stack.job(id);
  await expect
    .poll(async () => {
      job = await stack.job(id);
      return isSo(job);
    }, PATIENCE)
    .toBe(true);
  return job;
}

const waitsFor =
  (what: Job['progress']['waiting_for']): Moment['come'] =>
  async (id) => [(await seen(id, ({ progress }) => progress.waiting_for === what)).job_id];

const isAskedToStop = ({ reason }: Job) => reason.startsWith('stop rule 1');

/** The job that brings back what a job changed, once it is known that there is one. */
const rollbackOf = async (id: string) => (await seen(id, (job) => job.rollback_job_id !== null)).rollback_job_id!;

const stops = (action: 'pause' | 'cancel' | 'rollback'): Pick<Moment, 'version' | 'hasSlow' | 'rollout'> => ({
  version: BAD,
  hasSlow: true,
  rollout: ({ part }) => ({ abort: [{ count: part, action }] }),
});

const ROLLOUTS: readonly Rollout[] = [
  {},
  { max_in_flight: 1 },
  { waves: [{ percent: 10 }, {}] },
  { waves: [{ approval: true }] },
  { rate_per_minute: 60 },
  { abort: [{ count: 1, action: 'rollback' }] },
  { start_at: '2999-01-01T00:00:00Z' },
];

const MOMENTS: Record<string, Moment> = {
  'right after the create': {
    version: GOOD,
    hasSlow: true,
    rollout: ({ way }) => ROLLOUTS[way % ROLLOUTS.length]!,
    come: (id) => Promise.resolve([id]),
  },
  'while devices are under way': {
    version: GOOD,
    hasSlow: true,
    rollout: ({ part }) => ({ max_in_flight: SLOW + part }),
    come: async (id, { part }) => [(await seen(id, ({ progress }) => progress.succeeded >= part)).job_id],
  },
  'between two waves': {
    version: GOOD,
    hasSlow: false,
    rollout: ({ part }) => ({ waves: [{ count: part, soak_seconds: DAY }, {}] }),
    come: waitsFor('soak'),
  },
  'during the approval of a wave': {
    version: GOOD,
    hasSlow: false,
    rollout: ({ part, way }) => ({
      waves: way % 2 === 0 ? [{ approval: true }] : [{ count: part }, { approval: true }],
    }),
    come: waitsFor('approval'),
  },
  'during the pause before a retry': {
    version: BAD,
    hasSlow: false,
    rollout: () => ({ retry: [{ outcome: 'failed', max: 3, backoff_seconds: DAY }] }),
    come: waitsFor('retry_at'),
  },
  'while it is paused': {
    version: GOOD,
    hasSlow: false,
    rollout: ({ part }) => ({ waves: [{ count: part, soak_seconds: DAY }, {}] }),
    come: async (id) => {
      await stack.api('POST', `${JOBS}/${id}/pause`);
      return [(await stack.reached(id, 'Stopped')).job_id];
    },
  },
  'while a stop rule pauses it': {
    ...stops('pause'),
    come: async (id) => [(await seen(id, (job) => job.status === 'Stopping' && isAskedToStop(job))).job_id],
  },
  'while a stop rule cancels it': {
    ...stops('cancel'),
    come: async (id) => [(await seen(id, isAskedToStop)).job_id],
  },
  'while it is rolled back': {
    ...stops('rollback'),
    come: async (id) => [id, await rollbackOf(id)],
  },
  'while its rollback waits for it, or has just begun': {
    ...stops('rollback'),
    come: async (id) => [await rollbackOf(id), id],
  },
  'while its rollback is under way': {
    ...stops('rollback'),
    come: async (id) => {
      const rollback = await rollbackOf(id);
      return [(await seen(rollback, ({ progress }) => progress.percent > 0 && progress.in_flight > 0)).job_id, id];
    },
  },
};

const cancel = (id: string) => stack.api<{ job_id: string; status: string }>('POST', `${JOBS}/${id}/cancel`);

/** Cancels a job, waits until it is at its end, and looks at what is left of it. */
async function cancelled(id: string, times: number): Promise<void> {
  const answers = await Promise.all(Array.from({ length: times }, () => cancel(id)));
  for (const { status, body } of answers) {
    expect([status, body]).toEqual([200, { job_id: id, status: expect.stringMatching(/^Stopp(ing|ed)$/) as string }]);
  }
  const job = await stack.reached(id, 'Stopped');
  expect(job.reason).not.toBe('');
  expect(job.progress).toMatchObject({ pending: 0, offline: 0, in_flight: 0, waiting_for: null });
  expectExact(job, await tasksOf(stack, id));
  expect(await cancel(id)).toMatchObject({ status: 200, body: { job_id: id, status: 'Stopped' } });
  expect(await stack.job(id)).toEqual(job);
}

/** Everything that has not ended. */
const waiting = async () => (await stack.api<{ waiting: object[] }>('GET', '/api/v1/waiting')).body.waiting;

describe('a cancel', () => {
  it.each(Object.entries(MOMENTS))(
    'given a job, when it is cancelled %s, then it comes to Stopped, nothing of it is left open, and a second cancel changes nothing',
    async (_name, moment) => {
      const property = fc.asyncProperty(draws, async (draw) => {
        const lists = [quick.ids.slice(0, draw.quick), moment.hasSlow ? slow.ids : []];
        const targets = (draw.slowFirst ? lists.toReversed() : lists).flat();
        const id = await stack.createJob(targets, {
          job_type: 'node_upgrade',
          job_content: { target_type: 'node', targets, task_data: JSON.stringify({ version: moment.version }) },
          rollout: moment.rollout(draw),
        });
        for (const each of await moment.come(id, draw)) await cancelled(each, draw.cancels);
        await expect.poll(waiting, PATIENCE).toEqual([]);
      });
      await fc.assert(property, { seed: SEED, numRuns: RUNS, endOnFailure: true });
    },
  );

  it('given all those cancels, then devices are free, none executed a command twice or after its job stood still, and nobody is asked to approve', async () => {
    await stack.reached(await stack.createJob(quick.ids), 'Successful');
    const bus = await stack.events();
    const executions = await Promise.all([quick, slow].map(({ process, log }) => executionsOf(process, log)));
    expect(repetitions(executions.flat())).toEqual([]);

    const byItsJob = await byJob(bus, executions.flat());
    const ends = byEntity(await readEvents(bus, 'muster.evt.demo.job.>'));
    const late = [...byItsJob].flatMap(([id, own]) => {
      const end = Date.parse(ends.get(id as string)!.at(-1)!.time);
      return own.filter(({ at }) => Date.parse(at) > end);
    });
    expect(byItsJob.size).toBeGreaterThan(RUNS);
    expect(late).toEqual([]);

    const approvals = byEntity(await readEvents(bus, 'muster.evt.demo.approval.>'));
    expect(approvals.size).toBeGreaterThanOrEqual(RUNS);
    expect(new Set([...approvals.values()].map((own) => own.at(-1)!.data.to))).toEqual(new Set(['withdrawn']));
  });
});
