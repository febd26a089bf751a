import { BATCH_SIZE } from '@muster/contracts';
import type { Created, Tx } from '@muster/journal';
import type { EndedPart, Step } from './family.js';
import type { LockedRollout } from './locked-rollout.js';
import type { UnderWay } from './rollout.ask.js';
import type { End, Outcome } from './rollout.outcomes.js';

/** A family in which a part is one command, and whose rollouts nobody hears of the steps of: nothing follows before the part has ended. */
export abstract class OneCommandFamily {
  readonly hearsSteps = false;

  partsAtOnce(): number {
    return BATCH_SIZE;
  }

  placed(_tx: Tx, _rollout: LockedRollout, _parts: readonly Created[]): Promise<void> {
    return Promise.resolve();
  }

  released(_tx: Tx, _rollout: LockedRollout, _parts: readonly UnderWay[]): Promise<void> {
    return Promise.resolve();
  }

  stepped(_tx: Tx, _rollout: LockedRollout, _steps: readonly Step[]): Promise<void> {
    return Promise.resolve();
  }

  triedAgain(_tx: Tx, _rollout: LockedRollout, _parts: readonly EndedPart[]): Promise<void> {
    return Promise.resolve();
  }

  goOn(_tx: Tx, _rollout: LockedRollout, ends: readonly (End & Outcome)[]): Promise<readonly (End & Outcome)[]> {
    return Promise.resolve(ends);
  }
}
