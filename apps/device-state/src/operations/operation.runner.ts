import { LOGGER, Runner, type Logger } from '@muster/service';
import { Inject, Injectable } from '@nestjs/common';
import { OperationAdvance } from './operation.advance.js';
import { OperationReconcile } from './operation.reconcile.js';
import { OperationStore } from './operation.store.js';

/** Keeps operations going. */
@Injectable()
export class OperationRunner extends Runner {
  constructor(
    operations: OperationStore,
    advance: OperationAdvance,
    reconcile: OperationReconcile,
    @Inject(LOGGER) logger: Logger,
  ) {
    super(
      {
        name: 'operation',
        makeDue: () => operations.makeDue(),
        claimDue: (claim) => operations.claimDue(claim),
        askAgain: (key) => reconcile.askAgain(key),
        advance: (key) => advance.advance(key),
      },
      logger,
    );
  }
}
