import type { Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { LaneStore, type Head } from '../lanes/lane.store.js';
import { CommandSender } from './command.sender.js';
import { deadlineOf, resendAt, SENDABLE_COLUMNS, type Sendable } from './command.store.js';
import { commandTable } from './command.table.js';

const DEADLINE = deadlineOf('t');

/** Most commands that one statement sends. */
const AT_ONCE = 500;

/** Gives every idle lane the next command of its queue, and beside it the concurrent ones that have a place. */
@Injectable()
export class CommandDispatch {
  constructor(
    private readonly lanes: LaneStore,
    private readonly sender: CommandSender,
  ) {}

  /** The lanes of `deviceIds` must be locked by the transaction. */
  async dispatch(tx: Tx, deviceIds: readonly string[]): Promise<void> {
    const devices = [...new Set(deviceIds)];
    if (devices.length === 0) return;
    for (;;) {
      const heads = await this.lanes.heads(tx, devices, AT_ONCE);
      if (heads.length === 0) return;
      await this.send(tx, heads);
      // Of each device one is found that has to wait for the next; only concurrent ones may be more.
      if (heads.length < AT_ONCE || !heads.some((head) => head.concurrent)) return;
    }
  }

  private async send(tx: Tx, heads: readonly Head[]): Promise<void> {
    const moved = await tx.transition(commandTable, 'INITIATED', {
      ids: heads.map((head) => head.id),
      each: { fence: heads.map((head) => head.fence) },
      set: { sends: 1 },
      compute: {
        attempt: 't.attempt + 1',
        deadline: DEADLINE,
        due_at: resendAt(DEADLINE, '0'),
      },
      returning: SENDABLE_COLUMNS,
    });
    await this.lanes.occupy(tx, heads);
    await this.sender.send(
      tx,
      moved.map(({ id, row }) => ({ ...row, id }) as Sendable),
    );
  }
}
