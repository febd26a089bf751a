import type { commandWork, WorkBatch, WorkHead, WorkItem } from '@muster/contracts';
import type { Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { CommandJournal } from './command.journal.js';
import { LaneStore } from '../lanes/lane.store.js';
import { CommandEnd, ENDED_COLUMNS, toEnded, type Ended } from './command.end.js';
import { CommandSender } from './command.sender.js';
import { CommandStore } from './command.store.js';
import { commandTable } from './command.table.js';

/** How long a device has to answer a cancel; after that the command counts as CANCELLED all the same. */
const GRACE_SECONDS = 30;

/** Cancels commands: what waits ends at once, what a device works on ends by the device's word or after the grace. */
@Injectable()
export class CommandCancel {
  constructor(
    private readonly journal: CommandJournal,
    private readonly store: CommandStore,
    private readonly lanes: LaneStore,
    private readonly end: CommandEnd,
    private readonly sender: CommandSender,
  ) {}

  async cancel(
    project: string,
    { head, items }: Omit<WorkBatch<typeof commandWork.cancel>, 'project_id'>,
  ): Promise<void> {
    const ids = [...new Set(items.map((item) => item.command_id))];
    await this.journal.transaction(project, async (tx) => {
      await this.store.lockRequest(tx, head.request_id);
      const known = await this.store.devicesOf(tx, ids);
      await this.lanes.lock(
        tx,
        known.map((command) => command.device_id),
      );
      await this.end.tell(tx, (await this.store.ended(tx, ids)) as Ended[]);
      await this.cancelLocked(tx, ids, head);
      const knownIds = new Set(known.map((command) => command.id));
      await this.cancelUnknown(
        tx,
        head,
        items.filter((item) => !knownIds.has(item.command_id)),
      );
    });
  }

  /** Cancels those of these commands that have not ended. */
  async cancelOpen(tx: Tx, commands: readonly { id: string; device_id: string }[], reason: string): Promise<void> {
    await this.lanes.lock(
      tx,
      commands.map((command) => command.device_id),
    );
    await this.cancelLocked(
      tx,
      commands.map((command) => command.id),
      { reason },
    );
  }

  private async cancelLocked(
    tx: Tx,
    ids: readonly string[],
    { reason, waiting_only }: Pick<WorkHead<typeof commandWork.cancel>, 'reason' | 'waiting_only'>,
  ): Promise<void> {
    const waiting = await tx.transition(commandTable, 'CANCELLED', {
      ids,
      from: ['QUEUED', 'SCHEDULED'],
      // What waits for a further attempt has been sent as well.
      ...(waiting_only && { guard: 't.attempt = 0' }),
      set: { reason, code: 'cancelled', due_at: null },
      returning: ENDED_COLUMNS,
    });
    await this.end.settle(tx, toEnded('CANCELLED', waiting));
    if (waiting_only) return;
    this.sender.sendCancel(tx, await this.store.requestCancel(tx, ids, reason, GRACE_SECONDS));
  }

  /** The request is lost or still on its way: it must find the cancel, and whoever asks must not wait for it. */
  private async cancelUnknown(
    tx: Tx,
    head: WorkHead<typeof commandWork.cancel>,
    items: readonly WorkItem<typeof commandWork.cancel>[],
  ): Promise<void> {
    if (items.length === 0) return;
    await this.store.markCancelled(
      tx,
      items.map((item) => item.command_id),
      head.reason,
    );
    this.end.tellAsker(
      tx,
      head.reply_to,
      head.request_id,
      items.map((item) => ({ ...item, status: 'CANCELLED', reason: head.reason, code: 'cancelled', sent: false })),
    );
  }
}
