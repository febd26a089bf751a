import { operationPartWork, type WorkBatch } from '@muster/contracts';
import { Journal } from '@muster/journal';
import { Work } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { RolloutOutcomes } from '../rollout/rollout.outcomes.js';
import { RolloutStore } from '../rollout/rollout.store.js';
import { RolloutWake } from '../rollout/rollout.wake.js';

/** What device-state says of the parts of operations; what comes late or twice changes nothing. */
@Controller()
export class OperationPartsWork {
  constructor(
    private readonly journal: Journal,
    private readonly rollouts: RolloutStore,
    private readonly outcomes: RolloutOutcomes,
    private readonly wake: RolloutWake,
  ) {}

  @Work(operationPartWork.ended, { concurrency: 1 })
  async onEnded({ project_id, head, items }: WorkBatch<typeof operationPartWork.ended>): Promise<void> {
    const { operation_id: id } = head;
    await this.journal.transaction(project_id, async (tx) => {
      const rollout = await this.rollouts.lock(tx, id);
      if (!rollout) return;
      const ends = items.map((item) => ({ ...item, command_id: null, sent: false }));
      await this.outcomes.end(tx, rollout, ends);
      await rollout.save(tx);
    });
    this.wake.wake({ project_id, id });
  }
}
