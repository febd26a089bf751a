import { jobWork, type WorkBatch } from '@muster/contracts';
import { Journal, type Tx } from '@muster/journal';
import { Work } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { Families } from './families.js';
import type { LockedRollout } from './locked-rollout.js';
import { RolloutHolds } from './rollout.holds.js';
import { RolloutOutcomes } from './rollout.outcomes.js';
import { RolloutStore } from './rollout.store.js';
import { RolloutWake } from './rollout.wake.js';

/** What command-dispatcher says of the commands of rollouts. */
@Controller()
export class RolloutWork {
  constructor(
    private readonly journal: Journal,
    private readonly rollouts: RolloutStore,
    private readonly outcomes: RolloutOutcomes,
    private readonly holds: RolloutHolds,
    private readonly families: Families,
    private readonly wake: RolloutWake,
  ) {}

  @Work(jobWork.outcome, { concurrency: 3 })
  onOutcome({ project_id, head, items }: WorkBatch<typeof jobWork.outcome>): Promise<void> {
    return this.apply(project_id, head.request_id, (tx, rollout) => this.outcomes.apply(tx, rollout, items));
  }

  @Work(jobWork.step, { concurrency: 1 })
  onStep({ project_id, head, items }: WorkBatch<typeof jobWork.step>): Promise<void> {
    return this.apply(project_id, head.request_id, (tx, rollout) => this.holds.apply(tx, rollout, items));
  }

  private async apply(
    project_id: string,
    request_id: string,
    change: (tx: Tx, rollout: LockedRollout) => Promise<void>,
  ): Promise<void> {
    const id = await this.journal.transaction(project_id, async (tx) => {
      const rollout =
        (await this.rollouts.lock(tx, request_id)) ??
        (await this.rollouts.lock(tx, await this.families.rolloutOf(tx, request_id)));
      if (!rollout) return undefined;
      await change(tx, rollout);
      await rollout.save(tx);
      return rollout.id;
    });
    if (id !== undefined) this.wake.wake({ project_id, id });
  }
}
