import type { Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { LaneStore } from '../lanes/lane.store.js';
import { CommandSender } from './command.sender.js';
import { deadlineOf, resendAt, SENDABLE_COLUMNS, type Sendable } from './command.store.js';
import { commandTable } from './command.table.js';

const DEADLINE = deadlineOf('t');

/** Gives every idle lane the next command of its queue. */
@Injectable()
export class CommandDispatch {
  constructor(
    private readonly lanes: LaneStore,
    private readonly sender: CommandSender,
  ) {}

  /** The lanes of `deviceIds` must be locked by the transaction. */
  async dispatch(tx: Tx, deviceIds: readonly string[]): Promise<void> {
    if (deviceIds.length === 0) return;
    const heads = await this.lanes.heads(tx, deviceIds);
    if (heads.length === 0) return;
    const moved = await tx.transition(commandTable, 'INITIATED', {
      ids: heads.map((head) => head.id),
      each: { fence: heads.map((head) => head.fence) },
      set: { sends: 1 },
      compute: {
        attempt: 't.attempt + 1',
        deadline: DEADLINE,
        due_at: resendAt(DEADLINE, 't.sends'),
      },
      returning: SENDABLE_COLUMNS,
    });
    const sent = moved.map(({ id, row }) => ({ ...row, id }) as Sendable);
    await this.lanes.occupy(tx, sent);
    await this.sender.send(tx, sent);
  }
}
