import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from './database.ts';

/** How late anything may be, in seconds. */
export const TOLERANCE_SECONDS = 5;
const EVERY_MS = 500;

/** What was overdue at a moment at which nothing may have been; `at`: the last moment at which it was, in epoch milliseconds. */
export interface Overdue {
  what: string;
  id: string;
  seconds: number;
  at: number;
}

/**
 * Everything that waits for a time: `due_at` of commands, requests, rollouts, runs of pipelines and operations, `tell_at` of rollouts and runs,
 * `expires_at` of the queue, `deadline` of what is in flight. Not among them: `ask_at` of a task, which is looked at with its job every 30 s, and
 * `presence_due`, which is lazy and rests for 90 s after a start.
 */
const WAITING = `(
    SELECT 'due_at of a command that is ' || state AS what, id, due_at AS due FROM command_dispatcher.command WHERE due_at IS NOT NULL
    UNION ALL
    SELECT 'expires_at of a command that is ' || state, id, expires_at FROM command_dispatcher.command WHERE state IN ('QUEUED', 'SCHEDULED')
    UNION ALL
    SELECT 'deadline of a command that is ' || state, id, deadline FROM command_dispatcher.command
    WHERE state IN ('INITIATED', 'ACKNOWLEDGED', 'INPROGRESS')
    UNION ALL
    SELECT 'due_at of a rollout that waits for ' || waits_for, id, due_at FROM job_planner.rollout WHERE due_at IS NOT NULL
    UNION ALL
    SELECT 'due_at of a pipeline run that is ' || state, id, due_at FROM job_planner.pipeline_run WHERE due_at IS NOT NULL
    UNION ALL
    SELECT 'tell_at of a rollout', id, tell_at FROM job_planner.rollout WHERE tell_at IS NOT NULL
    UNION ALL
    SELECT 'tell_at of a pipeline run', id, tell_at FROM job_planner.pipeline_run WHERE tell_at IS NOT NULL
    UNION ALL
    SELECT 'due_at of a command request', id, due_at FROM command_dispatcher.user_request WHERE due_at IS NOT NULL
    UNION ALL
    SELECT 'wake_at of an operation that is ' || state, id, wake_at FROM device_state.operation WHERE wake_at IS NOT NULL
    UNION ALL
    SELECT 'due_at of an operation that is ' || state, id, due_at FROM device_state.operation WHERE due_at IS NOT NULL
    UNION ALL
    SELECT 'due_at of a device operation that is ' || state, id, due_at FROM device_state.device_operation WHERE due_at IS NOT NULL
) waiting`;

/** What has come due before the last excuse ended has its time from then on. */
const OVERDUE = `
  SELECT what, id, extract(epoch FROM now() - greatest(due, $2))::float8 AS seconds, extract(epoch FROM now())::float8 * 1000 AS at FROM ${WAITING}
  WHERE greatest(due, $2) < now() - make_interval(secs => $1) ORDER BY due LIMIT 5`;

/** What is due before it is looked again. */
const COMES_DUE = `SELECT count(*)::int AS count FROM ${WAITING} WHERE due BETWEEN now() AND now() + make_interval(secs => $1)`;

/** A time at which something might be late without being wrong, in epoch milliseconds. */
export interface Excuse {
  from: number;
  to: number;
}

/**
 * Looks twice a second whether anything is past its time. A fault is an excuse while it is active, and until what had piled up meanwhile was
 * worked off: until the moment at which no message waited any more.
 */
export class Deadlines {
  readonly overdue: Overdue[] = [];
  readonly excuses: Excuse[] = [];
  /** How often it was looked. */
  looks = 0;
  /** How many times came while it was looked. */
  due = 0;
  private excuse: Excuse | undefined;
  private readonly database: Database;
  private readonly isCalm: () => Promise<boolean>;
  private readonly isIdle: () => Promise<boolean>;

  /** `isCalm`: whether everything runs and no fault is active. `isIdle`: whether no message waits. */
  constructor(database: Database, isCalm: () => Promise<boolean>, isIdle: () => Promise<boolean>) {
    this.database = database;
    this.isCalm = async () => isCalm().catch(() => false);
    this.isIdle = async () => isIdle().catch(() => false);
  }

  async watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { excuse } = this;
      if (!(await this.isCalm())) {
        if (!excuse) this.excuses.push((this.excuse = { from: Date.now() - EVERY_MS, to: Infinity }));
      } else if (!excuse) await this.look();
      else if (await this.isIdle()) {
        excuse.to = Date.now();
        this.excuse = undefined;
      }
      await delay(EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
    if (this.excuse) this.excuse.to = Date.now();
  }

  /** Whether nothing may be late now. */
  get isStrict(): boolean {
    return this.excuse === undefined;
  }

  private async look(): Promise<void> {
    const excused = new Date(this.excuses.at(-1)?.to ?? 0);
    const found = await this.database.query<Overdue>(OVERDUE, [TOLERANCE_SECONDS, excused]);
    const [next] = await this.database.query<{ count: number }>(COMES_DUE, [EVERY_MS / 1000]);
    // A fault may have begun while it was looked.
    if (!(await this.isCalm())) return;
    this.looks++;
    this.due += next!.count;
    for (const one of found) {
      const known = this.overdue.find(({ what, id }) => what === one.what && id === one.id);
      if (known) Object.assign(known, { seconds: Math.max(known.seconds, one.seconds), at: one.at });
      else this.overdue.push(one);
    }
  }
}
