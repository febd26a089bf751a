import { Journal, type Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { Families } from './families.js';
import type { LockedRollout } from './locked-rollout.js';
import { RolloutStore } from './rollout.store.js';

/** Does what concerns many parts of a rollout, to as many of them at once as its family lets a step take. */
@Injectable()
export class RolloutPortions {
  constructor(
    private readonly journal: Journal,
    private readonly rollouts: RolloutStore,
    private readonly families: Families,
  ) {}

  /**
   * Each portion of the items, one for a part, in a transaction of its own that holds the rollout's lock.
   * @param request_id the rollout, or a request that belongs to it
   * @returns the id of the rollout; undefined where there is none
   */
  async each<T>(
    project_id: string,
    request_id: string,
    items: readonly T[],
    change: (tx: Tx, rollout: LockedRollout, some: readonly T[]) => Promise<void>,
  ): Promise<string | undefined> {
    let id: string | undefined;
    let done = 0;
    do {
      const taken = await this.journal.transaction(project_id, async (tx) => {
        const rollout =
          (await this.rollouts.lock(tx, request_id)) ??
          (await this.rollouts.lock(tx, await this.families.rolloutOf(tx, request_id)));
        if (!rollout) return undefined;
        const some = items.slice(done, done + this.families.of(rollout.row).partsAtOnce(rollout.row));
        await change(tx, rollout, some);
        await rollout.save(tx);
        return { id: rollout.id, count: some.length };
      });
      if (!taken) break;
      id = taken.id;
      done += taken.count;
    } while (done < items.length);
    return id;
  }
}
