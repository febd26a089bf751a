import { commandWork, CONVERGE, type JsonObject } from '@muster/contracts';
import type { Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { v7 as uuid } from 'uuid';
import { differenceOf, isEmpty } from '../devices/difference.js';
import { alreadyConverged, provisions, requestHead, requestItem } from '../operations/operation.ask.js';
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
        reason: alreadyConverged(desired, reported),
      })),
    );
    const asked = parts
      .filter(({ wanted }) => wanted === null || !isEmpty(wanted))
      .map((part) => ({ ...part, command_id: uuid() }));
    await this.initiate(tx, operation.id, asked);
    const trace = operation.traceparent ?? undefined;
    tx.work(commandWork.request, requestHead(operation, Date.now()), asked.map(requestItem), trace);
  }

  /** These begin with these commands, which are asked for in the same transaction. The operation is locked. */
  async initiate(
    tx: Tx,
    operationId: string,
    parts: readonly { id: string; command_id: string; wanted: JsonObject | null }[],
  ): Promise<void> {
    const moved = await tx.transition(deviceOperationTable, 'INITIATED', {
      ids: parts.map(({ id }) => id),
      each: { command_id: parts.map(({ command_id }) => command_id), wanted: parts.map(({ wanted }) => wanted) },
      set: { asks: 0 },
      compute: { ask_at: FIRST_ASK_AT },
    });
    const changes = countMoves(
      'INITIATED',
      moved.map(({ from }) => ({ from, cancel_requested: false })),
    );
    await this.operations.count(tx, operationId, changes);
  }
}
