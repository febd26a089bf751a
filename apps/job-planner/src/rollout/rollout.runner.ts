import { LOGGER, Runner, type Logger } from '@muster/service';
import { Inject, Injectable } from '@nestjs/common';
import { RolloutAdvance } from './rollout.advance.js';
import { RolloutReconcile } from './rollout.reconcile.js';
import { RolloutStore } from './rollout.store.js';
import { RolloutWake } from './rollout.wake.js';

/** Keeps rollouts going. */
@Injectable()
export class RolloutRunner extends Runner {
  constructor(
    rollouts: RolloutStore,
    advance: RolloutAdvance,
    reconcile: RolloutReconcile,
    wake: RolloutWake,
    @Inject(LOGGER) logger: Logger,
  ) {
    super(
      {
        name: 'rollout',
        makeDue: () => rollouts.makeDue(),
        claimDue: (claim) => rollouts.claimDue(claim),
        askAgain: (key) => reconcile.askAgain(key),
        advance: (key) => advance.advance(key),
      },
      logger,
    );
    wake.listen((key) => this.wake(key));
  }
}
