import { LOGGER, Runner, type Logger } from '@muster/service';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { RolloutAdvance } from './rollout.advance.js';
import { RolloutReconcile } from './rollout.reconcile.js';
import { RolloutStore } from './rollout.store.js';
import { RolloutWake } from './rollout.wake.js';

/** Keeps rollouts going. */
@Injectable()
export class RolloutRunner implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly runner: Runner;

  constructor(
    rollouts: RolloutStore,
    advance: RolloutAdvance,
    reconcile: RolloutReconcile,
    wake: RolloutWake,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.runner = new Runner(
      {
        name: 'rollout',
        makeDue: () => rollouts.makeDue(),
        claimDue: (limit, seconds) => rollouts.claimDue(limit, seconds),
        askAgain: (key) => reconcile.askAgain(key),
        advance: (key) => advance.advance(key),
      },
      logger,
    );
    wake.listen((key) => this.runner.wake(key));
  }

  onApplicationBootstrap(): Promise<void> {
    return this.runner.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.runner.stop();
  }
}
