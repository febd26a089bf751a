import type { Job } from '@muster/contracts';
import { UNTOLD } from '../harness/journals.ts';
import { until } from '../harness/until.ts';
import type { BenchStack } from './bench.stack.ts';
import { EventCounter, type EventCount } from './event.counter.ts';
import { cpuSeconds, difference, peakBytes, resetPeaks } from './processes.ts';
import { TerminalWatch } from './terminal.watch.ts';

/** What a user sets who wants a job to be fast: so many devices at work at a time. */
export const MAX_IN_FLIGHT = 10_000;

/** A run at fewer than 200 devices a second is not waited for. */
const limitMs = (devices: number) => 60_000 + devices * 5;

/** One job, measured. Times are seconds from the HTTP create. */
export interface JobRun {
  job_id: string;
  devices: number;
  created: number;
  /** The job's terminal event reached a subscriber. */
  ended: number;
  /** No journal had an event that the bus had not acknowledged. */
  published: number;
  /** The later of both. */
  seconds: number;
  cpu_seconds: Record<string, number>;
  peak_bytes: Record<string, number>;
  commits: number;
  /** Messages that streams stored meanwhile. */
  stored_messages: Record<string, number>;
  /** What an outside subscriber saw, where there was one. */
  events?: EventCount & { transitions: number };
}

export interface JobPlan {
  /** What the names of the devices begin with, and how many those are. */
  prefix: string;
  devices: number;
  /** Lets an outside subscriber count the events. */
  counted: boolean;
  /** Does something beside the job while it runs; the signal says that it does not run any more. */
  beside?: (id: string, over: AbortSignal) => Promise<void>;
}

/** Runs one job over devices that are online, to its end. @throws when it does not end in time, or not every task succeeds. */
export async function runJob(bench: BenchStack, { prefix, devices, counted, beside }: JobPlan): Promise<JobRun> {
  const processes = await bench.processes();
  await resetPeaks(processes);
  const ends = await TerminalWatch.start(bench, 'job');
  const counter = counted ? await EventCounter.start(bench) : undefined;
  const over = new AbortController();
  let besides: Promise<void> | undefined;
  try {
    const stored = await storedMessages(bench);
    const commits = await commitsOf(bench);
    const cpu = await cpuSeconds(processes);

    const began = performance.now();
    const since = () => (performance.now() - began) / 1000;
    const id = await bench.stack.createJob(
      { name_prefix: prefix },
      { job_name: 'load', rollout: { max_in_flight: MAX_IN_FLIGHT } },
    );
    const created = since();
    besides = beside?.(id, over.signal);
    besides?.catch(() => undefined);
    const ended = ((await ends.of(id, limitMs(devices))) - began) / 1000;
    await drained(bench, limitMs(devices));
    const published = since();

    const after = await cpuSeconds(processes);
    const run: JobRun = {
      job_id: id,
      devices,
      created,
      ended,
      published,
      seconds: Math.max(ended, published),
      cpu_seconds: Object.fromEntries(difference(cpu, after)),
      peak_bytes: Object.fromEntries(await peakBytes(processes)),
      commits: (await commitsOf(bench)) - commits,
      stored_messages: Object.fromEntries(difference(stored, await storedMessages(bench))),
    };
    over.abort();
    await besides;
    check(await bench.stack.job(id), devices);
    if (counter) run.events = { ...(await counter.finish()), transitions: await transitionsOf(bench, id) };
    return run;
  } finally {
    over.abort();
    await besides?.catch(() => undefined);
    ends.stop();
    await counter?.stop();
  }
}

function check({ status, task_total_count, task_success_count }: Job, devices: number): void {
  if (status === 'Successful' && task_total_count === devices && task_success_count === devices) return;
  throw new Error(
    `the job ended ${status}, ${task_success_count} of ${task_total_count} tasks successful, not ${devices}`,
  );
}

/** Waits until the bus has acknowledged every event of every journal, and none is told again. */
export async function drained(bench: BenchStack, timeout: number): Promise<void> {
  const isDrained = async () => {
    const { rows } = await bench.db.query<{ waiting: boolean }>(`SELECT EXISTS (${UNTOLD}) AS waiting`);
    return !rows[0]!.waiting;
  };
  await until('every event published', isDrained, { timeout, interval: 10 });
}

async function storedMessages(bench: BenchStack): Promise<Map<string, number>> {
  const manager = await (await bench.stack.nats()).jetstreamManager();
  const stored = new Map<string, number>();
  for await (const { config, state } of manager.streams.list()) stored.set(config.name, state.last_seq);
  return stored;
}

async function commitsOf(bench: BenchStack): Promise<number> {
  const { rows } = await bench.db.query<{ commits: string }>(
    'SELECT xact_commit AS commits FROM pg_stat_database WHERE datname = current_database()',
  );
  return Number(rows[0]!.commits);
}

/** How often the job, its tasks and its commands changed their state: each starts at version 1 and counts every move. */
async function transitionsOf(bench: BenchStack, id: string): Promise<number> {
  const { rows } = await bench.db.query<{ transitions: string }>(
    `SELECT (SELECT version FROM job_planner.job WHERE id = $1)
          + (SELECT sum(version) FROM job_planner.job_task WHERE job_id = $1)
          + (SELECT sum(version) FROM command_dispatcher.command WHERE request_id = $1) AS transitions`,
    [id],
  );
  return Number(rows[0]!.transitions);
}
