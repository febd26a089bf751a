import { jobWork, type WorkBatch } from '@muster/contracts';
import type { Tx } from '@muster/journal';
import { Work } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import type { LockedRollout } from './locked-rollout.js';
import { RolloutHolds } from './rollout.holds.js';
import { RolloutOutcomes } from './rollout.outcomes.js';
import { RolloutPortions } from './rollout.portions.js';
import { RolloutWake } from './rollout.wake.js';

/** What command-dispatcher says of the commands of rollouts. */
@Controller()
export class RolloutWork {
  constructor(
    private readonly portions: RolloutPortions,
    private readonly outcomes: RolloutOutcomes,
    private readonly holds: RolloutHolds,
    private readonly wake: RolloutWake,
  ) {}

  @Work(jobWork.outcome, { concurrency: 3 })
  onOutcome(batch: WorkBatch<typeof jobWork.outcome>): Promise<void> {
    return this.apply(batch, (tx, rollout, items) => this.outcomes.apply(tx, rollout, items));
  }

  @Work(jobWork.step, { concurrency: 1 })
  onStep(batch: WorkBatch<typeof jobWork.step>): Promise<void> {
    return this.apply(batch, (tx, rollout, items) => this.holds.apply(tx, rollout, items));
  }

  private async apply<T>(
    { project_id, head, items }: { project_id: string; head: { request_id: string }; items: readonly T[] },
    change: (tx: Tx, rollout: LockedRollout, some: readonly T[]) => Promise<void>,
  ): Promise<void> {
    const id = await this.portions.each(project_id, head.request_id, items, change);
    if (id !== undefined) this.wake.wake({ project_id, id });
  }
}
