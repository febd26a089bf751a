import { LOGGER, Runner, type Logger } from '@muster/service';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { JobAdvance } from './job.advance.js';
import { JobReconcile } from './job.reconcile.js';
import { JobStore, type JobKey } from './job.store.js';

/** Keeps jobs going. */
@Injectable()
export class JobRunner implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly runner: Runner;

  constructor(jobs: JobStore, advance: JobAdvance, reconcile: JobReconcile, @Inject(LOGGER) logger: Logger) {
    this.runner = new Runner(
      {
        name: 'job',
        makeDue: () => jobs.makeDue(),
        claimDue: (limit, seconds) => jobs.claimDue(limit, seconds),
        askAgain: (key) => reconcile.askAgain(key),
        advance: (key) => advance.advance(key),
      },
      logger,
    );
  }

  onApplicationBootstrap(): Promise<void> {
    return this.runner.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.runner.stop();
  }

  /** Something happened to the job: let it go on. */
  wake(key: JobKey): void {
    this.runner.wake(key);
  }
}
