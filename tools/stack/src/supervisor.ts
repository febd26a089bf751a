import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, StackError } from './errors.js';

/** A process that is up. */
export interface Running {
  readonly pid: number;
  /** Where it listens, if it does. */
  readonly url?: string | undefined;
  /** Settles with how it ended. */
  readonly exited: Promise<string>;
  stop(): Promise<void>;
  /** What it said last. */
  lastWords?(): string;
}

/** How to start a process; settles once it is ready. It is called again for each restart. */
export type Starter = (signal: AbortSignal) => Promise<Running>;

export interface SupervisorEvents {
  /** Another process (or none) runs now. */
  changed(): void;
  say(line: string): void;
}

const FIRST_DELAY_MS = 250;
const LAST_DELAY_MS = 10_000;
/** A process that ran this long before it ended is restarted as if for the first time. */
const STEADY_MS = 30_000;

/** Keeps one process running: starts it again, with a growing delay, whenever it ends. */
export class Supervisor {
  private readonly stopping = new AbortController();
  private running: Running | undefined;
  private starting: Promise<Running> | undefined;
  private watching: Promise<void> | undefined;

  constructor(
    readonly name: string,
    private readonly starter: Starter,
    private readonly events: SupervisorEvents,
  ) {}

  /** The process of this moment; undefined between its end and the next start. */
  get current(): Running | undefined {
    return this.running;
  }

  /**
   * Starts the process and watches it from then on.
   * @throws StackError when it does not become ready at the first attempt: that is a mistake in the set-up, which trying again hides.
   */
  start(): Promise<Running> {
    this.starting ??= this.startFirst();
    return this.starting;
  }

  /** Ends the process, also one that is only starting, and the watching. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.starting?.catch(() => undefined);
    await this.running?.stop();
    await this.watching;
  }

  private async startFirst(): Promise<Running> {
    let first: Running;
    try {
      first = await this.starter(this.stopping.signal);
    } catch (error) {
      throw new StackError(`${this.name} does not start: ${messageOf(error)}`);
    }
    if (this.stopping.signal.aborted) {
      await first.stop();
      throw new StackError(`${this.name} was stopped while it started`);
    }
    this.become(first);
    this.watching = this.watch(first);
    return first;
  }

  private become(running: Running | undefined): void {
    this.running = running;
    this.events.changed();
  }

  private async watch(first: Running): Promise<void> {
    const { signal } = this.stopping;
    let wait = FIRST_DELAY_MS;
    let current = first;
    for (;;) {
      const since = Date.now();
      const ending = await current.exited;
      this.become(undefined);
      if (signal.aborted) return;
      if (Date.now() - since > STEADY_MS) wait = FIRST_DELAY_MS;
      let why = `ended (${ending})${current.lastWords ? `, ${current.lastWords()}` : ''}`;
      let next: Running | undefined;
      while (!next) {
        this.events.say(`${this.name} ${why}; starting it again in ${wait / 1000} s`);
        await delay(wait, undefined, { signal }).catch(() => undefined);
        if (signal.aborted) return;
        wait = Math.min(wait * 2, LAST_DELAY_MS);
        try {
          next = await this.starter(signal);
        } catch (error) {
          if (signal.aborted) return;
          why = `does not start: ${messageOf(error)}`;
        }
      }
      if (signal.aborted) {
        await next.stop();
        return;
      }
      current = next;
      this.become(current);
      this.events.say(`${this.name} is back (pid ${current.pid})`);
    }
  }
}
