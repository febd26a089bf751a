import { setTimeout as delay } from 'node:timers/promises';
import type { Database } from './database.ts';

/** How late anything may be, in seconds. */
export const TOLERANCE_SECONDS = 5;
/** How long a system that was broken may take before it is judged: what had piled up has to be worked off, and back-offs have to run out. */
export const CATCH_UP_MS = 10_000;

const EVERY_MS = 500;

/** What was overdue at a moment at which nothing may have been. */
export interface Overdue {
  what: string;
  id: string;
  seconds: number;
}

/**
 * Everything that waits for a time: `due_at` of commands and jobs, `expires_at` of the queue, `deadline` of what is in flight. Not among them:
 * `ask_at` of a task, which is looked at with its job every 30 s, and `presence_due`, which is lazy and rests for 90 s after a start.
 */
const OVERDUE = `
  SELECT what, id, extract(epoch FROM now() - due)::float8 AS seconds FROM (
    SELECT 'due_at of a command that is ' || state AS what, id, due_at AS due FROM command_dispatcher.command WHERE due_at IS NOT NULL
    UNION ALL
    SELECT 'expires_at of a command that is ' || state, id, expires_at FROM command_dispatcher.command WHERE state IN ('QUEUED', 'SCHEDULED')
    UNION ALL
    SELECT 'deadline of a command that is ' || state, id, deadline FROM command_dispatcher.command
    WHERE state IN ('INITIATED', 'ACKNOWLEDGED', 'INPROGRESS')
    UNION ALL
    SELECT 'due_at of a job that is ' || state, id, due_at FROM job_planner.job WHERE due_at IS NOT NULL
  ) waiting WHERE due < now() - make_interval(secs => $1) ORDER BY due LIMIT 5`;

/** Looks twice a second whether anything is past its time, whenever no fault is an excuse for it. */
export class Deadlines {
  readonly overdue: Overdue[] = [];
  /** How often it was looked. */
  looks = 0;
  private readonly database: Database;
  private readonly isCalm: () => Promise<boolean>;

  /** `isCalm`: whether everything runs and no fault is active. */
  constructor(database: Database, isCalm: () => Promise<boolean>) {
    this.database = database;
    this.isCalm = isCalm;
  }

  async watch(signal: AbortSignal): Promise<void> {
    let calmSince: number | undefined;
    while (!signal.aborted) {
      if (!(await this.isCalm().catch(() => false))) calmSince = undefined;
      else calmSince ??= Date.now();
      if (calmSince !== undefined && Date.now() - calmSince >= CATCH_UP_MS) await this.look();
      await delay(EVERY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  private async look(): Promise<void> {
    const found = await this.database.query<Overdue>(OVERDUE, [TOLERANCE_SECONDS]);
    // A fault may have begun while it was looked.
    if (!(await this.isCalm().catch(() => false))) return;
    this.looks++;
    for (const one of found) {
      const known = this.overdue.find(({ what, id }) => what === one.what && id === one.id);
      if (known) known.seconds = Math.max(known.seconds, one.seconds);
      else this.overdue.push(one);
    }
  }
}
