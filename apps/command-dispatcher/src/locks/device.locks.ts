import type { Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { ENDED_COLUMNS, toEnded, type Ended } from '../commands/command.end.js';
import { commandTable } from '../commands/command.table.js';
import { LockStore } from './lock.store.js';

/** What follows for commands when the lock that they go under is not held any more. */
@Injectable()
export class DeviceLocks {
  constructor(private readonly store: LockStore) {}

  /** Ends the commands in the queues of these devices whose lock is lost. The lanes must be locked by the transaction. */
  async failLost(tx: Tx, deviceIds: readonly string[]): Promise<Ended[]> {
    if (deviceIds.length === 0) return [];
    const moved = await tx.transition(commandTable, 'FAILURE', {
      ids: await this.store.lost(tx, deviceIds),
      from: ['QUEUED'],
      set: { reason: 'the lock of the device is not held any more', code: 'lock_lost', due_at: null },
      returning: ENDED_COLUMNS,
    });
    return toEnded('FAILURE', moved);
  }
}
