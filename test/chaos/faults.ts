import { isAlive } from '@muster/servers';
import { schemaOf, SERVICES } from '@muster/contracts';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../harness/until.ts';
import { OWN_SESSIONS, type Database } from './database.ts';
import { describe, type Fault } from './schedule.ts';

/** Between the pause of a replica and the end of its service's relay session. */
const ASLEEP_MS = 300;
/** How long a process may take to end, and its successor to be there. */
const END_MS = 30_000;
const START_MS = 60_000;

/** Carries faults out, and knows how many are active. */
export class Faults {
  /** How many have begun. */
  begun = 0;
  private readonly database: Database;
  private readonly pidOf: (name: string) => Promise<number | undefined>;
  private readonly say: (line: string) => void;
  private readonly active = new Set<Promise<void>>();
  private readonly paused = new Set<number>();

  constructor(database: Database, pidOf: (name: string) => Promise<number | undefined>, say: (line: string) => void) {
    this.database = database;
    this.pidOf = pidOf;
    this.say = say;
  }

  /** Lets the faults happen at their times; returns when the last has begun, or `signal` is aborted. */
  async run(faults: readonly Fault[], signal: AbortSignal): Promise<void> {
    const start = Date.now();
    for (const fault of faults) {
      await delay(Math.max(0, start + fault.at - Date.now()), undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      this.say(`${(fault.at / 1000).toFixed(1).padStart(6)} s  ${describe(fault)}`);
      const work = this.carryOut(fault, signal).finally(() => this.active.delete(work));
      this.active.add(work);
    }
  }

  /** How many are active now. */
  get count(): number {
    return this.active.size;
  }

  /** Ends what is still active: paused processes go on. */
  async heal(): Promise<void> {
    for (const pid of this.paused) this.go(pid);
    await Promise.all(this.active);
  }

  private async carryOut(fault: Fault, signal: AbortSignal): Promise<void> {
    this.begun++;
    try {
      await this.act(fault, signal);
    } catch (error) {
      this.say(`could not ${describe(fault)}: ${(error as Error).message}`);
    }
  }

  private async act(fault: Fault, signal: AbortSignal): Promise<void> {
    switch (fault.kind) {
      case 'kill':
        return this.signal(fault.victim, 'SIGKILL');
      case 'stop':
        return this.signal(fault.victim, 'SIGTERM');
      case 'restart_postgres':
        return this.database.crash();
      case 'kill_backends':
        await this.database.query(
          `SELECT pg_terminate_backend(pid) FROM (
             SELECT pid, row_number() OVER (ORDER BY application_name, backend_start, pid) AS place FROM pg_stat_activity
             WHERE backend_type = 'client backend' AND application_name <> $1) session
           WHERE (hashtext(format('%s/%s', $2::int, place)) & 1023) < $3::float8 * 1024`,
          [OWN_SESSIONS, fault.choice, fault.share],
        );
        return;
      case 'pause':
        return this.pause(fault.victim, fault.ms, signal);
      case 'depose':
        await Promise.all([this.pause(fault.victim, fault.ms, signal), this.endRelaySession(fault.victim, signal)]);
        return;
    }
  }

  private async endRelaySession(replica: string, signal: AbortSignal): Promise<void> {
    await delay(ASLEEP_MS, undefined, { signal }).catch(() => undefined);
    const service = SERVICES.find((name) => replica.startsWith(name))!;
    await this.database.query(
      `SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid
       WHERE l.locktype = 'advisory' AND l.granted AND a.application_name = $1`,
      [`${schemaOf(service)} relay`],
    );
  }

  /** A process that is being started again has had its fault already. */
  private async signal(victim: string, signal: NodeJS.Signals): Promise<void> {
    const pid = await this.pidOf(victim);
    if (!pid || !isAlive(pid)) return;
    process.kill(pid, signal);
    // One that sleeps would take a SIGTERM only when it wakes up.
    this.go(pid);
    await until(`the end of ${victim}`, () => !isAlive(pid), { timeout: END_MS, interval: 20 });
    await until(`a new ${victim}`, async () => ![undefined, pid].includes(await this.pidOf(victim)), {
      timeout: START_MS,
      interval: 50,
    });
  }

  private async pause(victim: string, ms: number, signal: AbortSignal): Promise<void> {
    const pid = await this.pidOf(victim);
    if (!pid || !isAlive(pid)) return;
    process.kill(pid, 'SIGSTOP');
    this.paused.add(pid);
    await delay(ms, undefined, { signal }).catch(() => undefined);
    this.go(pid);
  }

  private go(pid: number): void {
    if (this.paused.delete(pid) && isAlive(pid)) process.kill(pid, 'SIGCONT');
  }
}
