import { Journal } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { LaneStore } from '../lanes/lane.store.js';
import { CommandEnd, ENDED_COLUMNS, toEnded } from './command.end.js';
import { CommandSender } from './command.sender.js';
import { CommandStore } from './command.store.js';
import { commandTable } from './command.table.js';

/** How long a device has to answer a cancel; after that the command counts as CANCELLED all the same. */
const GRACE_SECONDS = 30;

/** Cancels commands: what waits ends at once, what a device works on ends by the device's word or after the grace. */
@Injectable()
export class CommandCancel {
  constructor(
    private readonly journal: Journal,
    private readonly store: CommandStore,
    private readonly lanes: LaneStore,
    private readonly end: CommandEnd,
    private readonly sender: CommandSender,
  ) {}

  async cancel(project: string, ids: readonly string[], reason: string): Promise<void> {
    const commands = await this.store.devicesOf(project, ids);
    if (commands.length === 0) return;
    await this.journal.transaction(project, async (tx) => {
      await this.lanes.lock(
        tx,
        commands.map((command) => command.device_id),
      );
      const waiting = await tx.transition(commandTable, 'CANCELLED', {
        ids,
        from: ['QUEUED', 'SCHEDULED'],
        set: { reason, code: 'cancelled', due_at: null },
        returning: ENDED_COLUMNS,
      });
      await this.end.settle(tx, toEnded('CANCELLED', waiting));
      this.sender.sendCancel(tx, await this.store.requestCancel(tx, ids, reason, GRACE_SECONDS));
    });
  }
}
