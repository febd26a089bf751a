import type { Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { CommandDispatch } from '../commands/command.dispatch.js';
import { CommandSender } from '../commands/command.sender.js';
import { CommandStore } from '../commands/command.store.js';
import { LaneStore, type Presence } from './lane.store.js';

/** Takes in presence: a device that says hello or comes online gets what it was working on again, else what waits for it (interfaces §8). */
@Injectable()
export class PresenceApply {
  constructor(
    private readonly store: CommandStore,
    private readonly lanes: LaneStore,
    private readonly dispatch: CommandDispatch,
    private readonly sender: CommandSender,
  ) {}

  async apply(tx: Tx, presence: readonly Presence[]): Promise<void> {
    const latest = new Map<string, Presence>();
    for (const word of presence) {
      const known = latest.get(word.device_id);
      if (!known || known.version <= word.version) latest.set(word.device_id, word);
    }
    const concurrent = await this.lanes.applyPresence(tx, [...latest.values()]);
    const arrived = [...latest.values()].filter((word) => word.online).map((word) => word.device_id);
    if (arrived.length === 0) return;
    const again = await this.store.inFlight(
      tx,
      arrived,
      concurrent.filter((device) => latest.get(device)!.online),
    );
    await this.sender.sendAgain(tx, again);
    await this.dispatch.dispatch(tx, arrived);
  }
}
