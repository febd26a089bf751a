import type { Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { CommandDispatch } from '../commands/command.dispatch.js';
import { CommandHold } from '../commands/command.hold.js';
import { CommandSender } from '../commands/command.sender.js';
import { CommandStore } from '../commands/command.store.js';
import { LaneStore, type Presence, type SpecialLane } from './lane.store.js';

/**
 * Takes in presence: a device that says hello or comes online gets what it was working on again, else what waits for it (interfaces §8). What is
 * held while it is offline is held, and stays so when it is back.
 */
@Injectable()
export class PresenceApply {
  constructor(
    private readonly store: CommandStore,
    private readonly lanes: LaneStore,
    private readonly dispatch: CommandDispatch,
    private readonly hold: CommandHold,
    private readonly sender: CommandSender,
  ) {}

  async apply(tx: Tx, presence: readonly Presence[]): Promise<void> {
    const latest = new Map<string, Presence>();
    for (const word of presence) {
      const known = latest.get(word.device_id);
      if (!known || known.version <= word.version) latest.set(word.device_id, word);
    }
    const special = await this.lanes.applyPresence(tx, [...latest.values()]);
    const which = (fits: (lane: SpecialLane) => boolean) => special.filter(fits).map((lane) => lane.device_id);
    await this.hold.hold(
      tx,
      which((lane) => lane.holds && !lane.online),
    );
    await this.hold.reach(
      tx,
      which((lane) => lane.holds && lane.online),
    );
    const arrived = [...latest.values()].filter((word) => word.online).map((word) => word.device_id);
    if (arrived.length === 0) return;
    const again = await this.store.inFlight(
      tx,
      arrived,
      which((lane) => lane.concurrent && lane.online),
    );
    await this.sender.sendAgain(tx, again);
    await this.dispatch.dispatch(tx, arrived);
  }
}
