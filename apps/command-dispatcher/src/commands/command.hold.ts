import type { Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { CommandSteps, type ToldHeld } from './command.steps.js';
import { HeldStore, type AskedAgain } from './held.store.js';

/**
 * Holds commands of requests with `holds_to` while their devices are offline, and tells those who asked for them. Being held is no state: the
 * command waits as others do, expires and is cancelled as others are, and has no turn. The lanes must be locked by the transaction.
 */
@Injectable()
export class CommandHold {
  constructor(
    private readonly store: HeldStore,
    private readonly steps: CommandSteps,
  ) {}

  /** Holds what waits in the queues of those of these devices that are offline, unless it was sent before. */
  async hold(tx: Tx, deviceIds: readonly string[]): Promise<void> {
    if (deviceIds.length > 0) await this.tellHeld(tx, await this.store.hold(tx, deviceIds));
  }

  /** These devices are online: tells so of what is held of them, each time, so that a word that was lost comes again. */
  async reach(tx: Tx, deviceIds: readonly string[]): Promise<void> {
    if (deviceIds.length > 0) await this.steps.tellHold(tx, 'REACHABLE', await this.store.held(tx, deviceIds));
  }

  /** These commands were asked for again: they take their turn if their devices are online and this is a new one, and are held if not. */
  async askAgain(tx: Tx, asked: readonly AskedAgain[]): Promise<void> {
    if (asked.length === 0) return;
    const held = await this.store.askAgain(tx, asked);
    await this.tellHeld(tx, held);
    await this.steps.tellHold(
      tx,
      'REACHABLE',
      held.filter(({ online }) => online),
    );
  }

  /** Tells that these commands are held. */
  async tellHeld(tx: Tx, commands: readonly ToldHeld[]): Promise<void> {
    await this.steps.tellHold(tx, 'HELD', commands);
  }
}
