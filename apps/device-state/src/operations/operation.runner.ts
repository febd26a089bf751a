import { LOGGER, Runner, type Logger, type RunnerKey } from '@muster/service';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { OperationAdvance } from './operation.advance.js';
import { OperationReconcile } from './operation.reconcile.js';
import { OperationStore } from './operation.store.js';

/** Keeps operations going. */
@Injectable()
export class OperationRunner implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly runner: Runner;

  constructor(
    operations: OperationStore,
    advance: OperationAdvance,
    reconcile: OperationReconcile,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.runner = new Runner(
      {
        name: 'operation',
        makeDue: () => operations.makeDue(),
        claimDue: (limit, seconds) => operations.claimDue(limit, seconds),
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

  /** Something happened to the operation: let it go on. */
  wake(key: RunnerKey): void {
    this.runner.wake(key);
  }
}
