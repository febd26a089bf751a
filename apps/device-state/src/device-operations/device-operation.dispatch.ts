import { commandWork, CONVERGE, type JsonObject } from '@muster/contracts';
import type { Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { v7 as uuid } from 'uuid';
import { differenceOf, isEmpty } from '../devices/difference.js';
import { leftOut, provisions, requestHead, requestItem } from '../operations/operation.ask.js';
import { OperationStore, type LockedOperation } from '../operations/operation.store.js';
import { DeviceOperationMove } from './device-operation.move.js';
import { DeviceOperationStore, FIRST_ASK_AT } from './device-operation.store.js';
import { deviceOperationTable } from './device-operation.table.js';
import { countMoves } from './device-operation.way.js';

/** Asks for the commands of an operation's devices. */
@Injectable()
export class DeviceOperationDispatch {
  constructor(
    private readonly operations: OperationStore,
    private readonly parts: DeviceOperationStore,
    private readonly move: DeviceOperationMove,
  ) {}

  /** Of a CONVERGE, a device that is as it should be needs no command. The operation is locked by the transaction. */
  async nextBatch(tx: Tx, operation: LockedOperation): Promise<void> {
    const converges = operation.operation === CONVERGE;
    const parts = (await this.parts.undispatched(tx, operation.id, converges)).map((part) => ({
      ...part,
      wanted: converges ? differenceOf(part.desired, part.reported, { provision: provisions(operation) }) : null,
    }));
    const converged = parts.filter(({ wanted }) => wanted !== null && isEmpty(wanted));
    await this.move.walk(
      tx,
      operation.id,
      converged.map(({ id, desired, reported }) => ({
        id,
        way: ['COMPLETED', 'SUCCESS'],
        reason: ['already converged', leftOut(desired, reported)].filter(Boolean).join('; '),
      })),
    );
    const asked = parts.filter(({ wanted }) => wanted === null || !isEmpty(wanted));
    await this.ask(tx, operation, asked);
  }

  private async ask(
    tx: Tx,
    operation: LockedOperation,
    parts: readonly { id: string; timezone: string; wanted: JsonObject | null }[],
  ): Promise<void> {
    const moved = await tx.transition(deviceOperationTable, 'INITIATED', {
      ids: parts.map(({ id }) => id),
      each: { command_id: parts.map(() => uuid()), wanted: parts.map(({ wanted }) => wanted) },
      set: { asks: 0 },
      compute: { ask_at: FIRST_ASK_AT },
      returning: ['device_id', 'command_id'],
    });
    const given = new Map(parts.map((part) => [part.id, part]));
    const items = moved.map(({ id, row }) => {
      const { timezone, wanted } = given.get(id)!;
      const { device_id, command_id } = row as { device_id: string; command_id: string };
      return requestItem({ id, device_id, command_id, timezone, wanted });
    });
    tx.work(commandWork.request, requestHead(operation, Date.now()), items, operation.traceparent ?? undefined);
    const changes = countMoves(
      'INITIATED',
      moved.map(({ from }) => ({ from, cancel_requested: false })),
    );
    await this.operations.count(tx, operation.id, changes);
  }
}
