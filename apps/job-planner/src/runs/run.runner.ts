import { LOGGER, Runner, type Logger } from '@muster/service';
import { Inject, Injectable } from '@nestjs/common';
import { RunAdvance } from './run.advance.js';
import { RunStore } from './run.store.js';
import { RunWake } from './run.wake.js';

/** Keeps runs of pipelines going. */
@Injectable()
export class RunRunner extends Runner {
  constructor(runs: RunStore, advance: RunAdvance, wake: RunWake, @Inject(LOGGER) logger: Logger) {
    super(
      {
        name: 'run',
        makeDue: () => runs.makeDue(),
        claimDue: (claim) => runs.claimDue(claim),
        // What a run waits for asks again by itself: the rollouts of its stages.
        askAgain: () => Promise.resolve(),
        advance: (key) => advance.advance(key),
      },
      logger,
    );
    wake.listen((key) => this.wake(key));
  }
}
