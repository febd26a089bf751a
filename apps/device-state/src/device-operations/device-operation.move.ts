import type { DeviceOperationState } from '@muster/contracts';
import type { Tx } from '@muster/journal';
import { isEnd } from '@muster/lifecycle';
import { Injectable } from '@nestjs/common';
import { OperationStore } from '../operations/operation.store.js';
import { deviceOperationLifecycle } from './device-operation.lifecycle.js';
import { DeviceOperationStore } from './device-operation.store.js';
import { deviceOperationTable } from './device-operation.table.js';
import { countMoves, type CountChanges } from './device-operation.way.js';

/** How long the report that proves a success may take after it. */
export const PROOF_SECONDS = 60;

/** The beginning of a reason is kept; the whole of it stays with the command. */
const REASON_LENGTH = 512;

/** The states that a device operation is to pass, in their order; `reason` is that of the last. */
export interface Walk {
  id: string;
  way: readonly DeviceOperationState[];
  reason: string;
}

/** Every way is a part of this order, so the moves of a batch can be made state by state. */
const ORDER = [
  'INITIATED',
  'DISPATCHED',
  'PROCESSING',
  'COMPLETED',
  'SUCCESS',
  'FAILURE',
  'CANCELLED',
  'TIMEOUT',
] as const satisfies DeviceOperationState[];

/** Moves device operations, each through every state on its way, and the counts of their operation with them. */
@Injectable()
export class DeviceOperationMove {
  constructor(
    private readonly operations: OperationStore,
    private readonly parts: DeviceOperationStore,
  ) {}

  /** The operation is locked by the transaction. */
  async walk(tx: Tx, operationId: string, walks: readonly Walk[]): Promise<void> {
    const changes: CountChanges = {};
    const worked = new Set<string>();
    for (const state of ORDER) {
      const passing = walks.filter(({ way }) => way.includes(state));
      const moved = await tx.transition(deviceOperationTable, state, {
        ids: passing.map(({ id }) => id),
        each: {
          reason: passing.map(({ way, reason }) => (way.at(-1) === state ? reason.slice(0, REASON_LENGTH) : '')),
        },
        ...(isEnd(deviceOperationLifecycle, state) && { set: { due_at: null, ask_at: null } }),
        ...(state === 'COMPLETED' && {
          set: { ask_at: null },
          compute: { due_at: `now() + interval '${PROOF_SECONDS} seconds'` },
        }),
        returning: ['cancel_requested'],
      });
      countMoves(
        state,
        moved.map(({ from, row }) => ({ from, cancel_requested: row['cancel_requested'] as boolean })),
        changes,
      );
      if (state === 'COMPLETED') for (const { id, from } of moved) if (from === 'PROCESSING') worked.add(id);
      if (state !== 'FAILURE') continue;
      // Of those that awaited their proof some needed no command, or a service had spoken for them.
      const unproven = moved.filter(({ id, from }) => from === 'COMPLETED' && !worked.has(id)).map(({ id }) => id);
      changes.unsent = (changes.unsent ?? 0) + (await this.parts.countUnsent(tx, unproven));
    }
    await this.operations.count(tx, operationId, changes);
  }
}
