import { Injectable } from '@nestjs/common';
import { Families } from './families.js';
import type { Family, NewTarget } from './family.js';
import { cancel } from './rollout.ask.js';
import type { RolloutEntity } from './rollout.entity.js';
import { RolloutPortions } from './rollout.portions.js';
import { RolloutStop } from './rollout.stop.js';
import { RolloutWake } from './rollout.wake.js';
import { TargetStore } from './target.store.js';

/**
 * Cancels what waits for devices that a rollout takes over: their parts in others of no higher priority that have not begun, and their commands
 * that were not sent. What a device works on goes on. Each of the others is locked by itself, and doing it twice changes nothing.
 */
@Injectable()
export class RolloutSupersede {
  constructor(
    private readonly portions: RolloutPortions,
    private readonly targets: TargetStore,
    private readonly families: Families,
    private readonly stop: RolloutStop,
    private readonly wake: RolloutWake,
  ) {}

  async waiting(by: RolloutEntity, targets: readonly NewTarget[]): Promise<void> {
    const devices = [...new Set(targets.map(({ device_id }) => device_id))];
    for (const family of this.families.all) {
      for (const { rollout } of await this.targets.under(by.project_id, family.table, devices, by.id))
        await this.inOther(by, family, rollout, devices);
    }
  }

  private async inOther(by: RolloutEntity, family: Family, id: string, devices: readonly string[]): Promise<void> {
    const { project_id } = by;
    await this.portions.each(project_id, id, devices, async (tx, other, some) => {
      if ((other.row.spec.priority ?? 0) > (by.spec.priority ?? 0)) return;
      const reason = `superseded by ${by.family} ${by.id}`;
      const parts = await this.targets.unsent(tx, family.table, id, some);
      const waiting = parts.filter(({ state }) => state === 'Waiting').map((part) => part.id);
      await this.stop.endParts(tx, other, waiting, 'cancelled', reason);
      const queued = parts.filter(({ state }) => state === 'Running');
      cancel(tx, other, family, queued, { reason, waiting_only: true });
    });
    this.wake.wake({ project_id, id });
  }
}
