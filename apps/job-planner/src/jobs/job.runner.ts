import { LOGGER, Loop, type Logger } from '@muster/service';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { JobAdvance } from './job.advance.js';
import { JobReconcile } from './job.reconcile.js';
import { JobStore, type JobKey } from './job.store.js';

const SWEEP_MS = 500;
/** How many jobs a sweep takes at once, and for how long it leaves them to their events after that. */
const CLAIM = { jobs: 100, seconds: 30 };
/** Pause before a job that was just advanced is advanced again: outcomes that come in small batches are released in larger ones. */
const BREATH_MS = 10;

/** Keeps jobs going: at once when something happened to one, and by a sweep for whatever was missed. */
@Injectable()
export class JobRunner implements OnApplicationBootstrap, OnApplicationShutdown {
  /** Jobs being advanced here; true when something happened to one meanwhile. */
  private readonly active = new Map<string, boolean>();
  private readonly running = new Set<Promise<void>>();
  private readonly sweep: Loop;
  private stopping = false;

  constructor(
    private readonly jobs: JobStore,
    private readonly advance: JobAdvance,
    private readonly reconcile: JobReconcile,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.sweep = new Loop('job sweep', SWEEP_MS, () => this.step(), logger);
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.jobs.makeDue();
    this.sweep.start();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping = true;
    await this.sweep.stop();
    await Promise.all(this.running);
  }

  /** Something happened to the job: let it go on. */
  wake(key: JobKey): void {
    const name = `${key.project_id} ${key.id}`;
    if (this.active.has(name)) {
      this.active.set(name, true);
      return;
    }
    const work = this.run(key, name).finally(() => this.running.delete(work));
    this.running.add(work);
  }

  private async run(key: JobKey, name: string): Promise<void> {
    do {
      this.active.set(name, false);
      try {
        await this.advance.advance(key);
      } catch (error) {
        // The sweep comes back to it.
        this.logger.error({ job_id: key.id, err: error }, 'job could not go on, trying again');
        break;
      }
      await delay(BREATH_MS);
    } while (this.active.get(name) && !this.stopping);
    this.active.delete(name);
  }

  private async step(): Promise<boolean> {
    const due = await this.jobs.claimDue(CLAIM.jobs, CLAIM.seconds);
    for (const key of due) {
      await this.reconcile.askAgain(key);
      this.wake(key);
    }
    return due.length === CLAIM.jobs;
  }
}
