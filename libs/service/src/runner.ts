import type { OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import type { Claim } from './claim.js';
import type { Logger } from './logger.js';
import { Loop } from './loop.js';

const SWEEP_MS = 500;
/** What a sweep takes at once; an overdue thing is waited for alone, so that nothing else is locked meanwhile. */
const CLAIM: Claim = { limit: 100, seconds: 30 };
const OVERDUE: Claim = { limit: 1, seconds: 30, overdueBy: 1 };
/** Pause before a thing that just went on goes on again: what comes in small batches is worked off in larger ones. */
const BREATH_MS = 10;
/** How often a thing that cannot go on is tried again at once, the pauses twice as long each time; after that the sweep comes back to it. */
const MOST_FAILURES = 4;
const FIRST_PAUSE_MS = 125;
/** How many ask at once for what was lost: what happens needs connections to the database, too. */
const MOST_ASKERS = 2;

/** A thing of a project that takes steps by itself. */
export interface RunnerKey {
  project_id: string;
  id: string;
}

/** What is kept going, and how. Any number of replicas may run the same: each step claims what it works on. */
export interface Runnable {
  /** Its name in logs. */
  name: string;
  /** At the start: every open thing is to be looked at, for whoever was doing so may have died. */
  makeDue: () => Promise<void>;
  /** Takes things whose time has come. */
  claimDue: (claim: Claim) => Promise<RunnerKey[]>;
  /** Repeats for a claimed thing what may have been lost. */
  askAgain: (key: RunnerKey) => Promise<void>;
  /** Takes steps until the thing has to wait for others. */
  advance: (key: RunnerKey) => Promise<void>;
}

/** Keeps things going while the service runs: at once when something happened to one, and by a sweep for whatever was missed. */
export class Runner implements OnApplicationBootstrap, OnApplicationShutdown {
  /** Things that go on here; true when something happened to one meanwhile. */
  private readonly active = new Map<string, boolean>();
  /** Things of which is to be asked for what was lost. */
  private readonly toAsk = new Map<string, RunnerKey>();
  private askers = 0;
  private readonly running = new Set<Promise<void>>();
  /** Each waits for nobody but its own things. */
  private readonly sweeps: readonly Loop[];
  private stopping = false;

  constructor(
    private readonly runnable: Runnable,
    private readonly logger: Logger,
  ) {
    this.sweeps = [
      new Loop(`${runnable.name} sweep`, SWEEP_MS, () => this.step(CLAIM), logger),
      new Loop(`overdue ${runnable.name} sweep`, SWEEP_MS, () => this.step(OVERDUE), logger),
    ];
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.runnable.makeDue();
    for (const sweep of this.sweeps) sweep.start();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.sweeps.map((sweep) => sweep.stop()));
    await Promise.all(this.running);
  }

  /** Something happened to the thing: let it go on. */
  wake(key: RunnerKey): void {
    const name = nameOf(key);
    if (this.active.has(name)) {
      this.active.set(name, true);
      return;
    }
    this.track(this.run(key, name));
  }

  private track(work: Promise<void>): void {
    const tracked = work.finally(() => this.running.delete(tracked));
    this.running.add(tracked);
  }

  private async run(key: RunnerKey, name: string): Promise<void> {
    let failures = 0;
    do {
      this.active.set(name, false);
      try {
        await this.runnable.advance(key);
        failures = 0;
      } catch (error) {
        this.tell(key, error);
        if (++failures <= MOST_FAILURES) this.active.set(name, true);
        await delay(FIRST_PAUSE_MS * 2 ** failures);
      }
      await delay(BREATH_MS);
    } while (this.active.get(name) && !this.stopping);
    this.active.delete(name);
  }

  /** Asks for what may have been lost of a thing. Nobody waits for that, for whom it asks may be away, and few do so at once. */
  private askFor(key: RunnerKey): void {
    this.toAsk.set(nameOf(key), key);
    if (this.askers >= MOST_ASKERS) return;
    this.askers++;
    this.track(this.askAll());
  }

  private async askAll(): Promise<void> {
    for (const [name, key] of this.toAsk) {
      if (this.stopping) break;
      this.toAsk.delete(name);
      try {
        await this.runnable.askAgain(key);
        this.wake(key);
      } catch (error) {
        this.tell(key, error);
      }
    }
    // In the same moment in which none was left: what comes now has an asker of its own.
    this.askers--;
  }

  private async step(claim: Claim): Promise<boolean> {
    const due = await this.runnable.claimDue(claim);
    for (const key of due) {
      this.wake(key);
      this.askFor(key);
    }
    return due.length === claim.limit;
  }

  /** A failure is logged alone: the thing is tried again. */
  private tell(key: RunnerKey, error: unknown): void {
    this.logger.error({ [`${this.runnable.name}_id`]: key.id, err: error }, 'could not go on, trying again');
  }
}

const nameOf = ({ project_id, id }: RunnerKey): string => `${project_id} ${id}`;
