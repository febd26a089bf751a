import { commandWork, DomainError, type DeviceOperationReport, type DeviceOperationState } from '@muster/contracts';
import { Journal, type Tx } from '@muster/journal';
import { isEnd } from '@muster/lifecycle';
import { Injectable } from '@nestjs/common';
import { refuse } from '../devices/device.rules.js';
import { cancelHead, cancelItem } from '../operations/operation.ask.js';
import { needsProof } from '../operations/operation.advance.js';
import { noSuchOperation } from '../operations/operation.cancel.js';
import { OperationRunner } from '../operations/operation.runner.js';
import { OperationStore, type LockedOperation } from '../operations/operation.store.js';
import { deviceOperationLifecycle } from './device-operation.lifecycle.js';
import { DeviceOperationMove } from './device-operation.move.js';
import { DeviceOperationProof } from './device-operation.proof.js';
import { DeviceOperationStore, type Standing } from './device-operation.store.js';
import { wayTo } from './device-operation.way.js';
import { tellEnded } from './told.outcomes.js';

/** A device's part of an operation, as a path names it. */
export interface PartKey {
  project_id: string;
  operation_id: string;
  device_id: string;
}

export const noSuchPart = ({ operation_id, device_id }: PartKey) =>
  new DomainError('not_found', `device ${device_id} is not part of operation ${operation_id}`);

/** @throws DomainError `not_found` when the device operations of the operation are no longer kept. */
export function refuseDeleted({ devices_deleted_at: deleted }: Pick<LockedOperation, 'devices_deleted_at'>): void {
  if (!deleted) return;
  const day = deleted.toISOString().slice(0, 10);
  throw new DomainError('not_found', `the device operations of the operation were deleted on ${day}`);
}

/** What users and services make of single device operations. */
@Injectable()
export class DeviceOperationChange {
  constructor(
    private readonly journal: Journal,
    private readonly operations: OperationStore,
    private readonly parts: DeviceOperationStore,
    private readonly move: DeviceOperationMove,
    private readonly proof: DeviceOperationProof,
    private readonly runner: OperationRunner,
  ) {}

  /**
   * Has one device's part cancelled: at once when nothing was asked of the device yet, else by its command's outcome; one that awaits its
   * proof ends by that. Asking again changes nothing.
   * @throws DomainError `not_found`, or `invalid` when it has ended otherwise.
   */
  async cancel(key: PartKey, reason: string): Promise<void> {
    await this.change(key, async (tx, operation, part) => {
      if (part.state === 'CANCELLED' || part.state === 'COMPLETED' || part.cancel_requested) return;
      refuseEnded(part);
      if (part.command_id === null) return this.walk(tx, operation, part, ['CANCELLED'], reason);
      const stopping = await this.parts.requestCancel(tx, [part.id]);
      await this.operations.count(tx, operation.id, { stopping });
      this.cancelCommand(tx, operation, part, reason);
    });
  }

  /**
   * Sets what a service says became of it; a command that is still under way is cancelled when it is over by that. The same said again changes
   * nothing.
   * @throws DomainError `not_found`, or `invalid` when the operation is another or the state does not lie ahead.
   */
  async report(key: PartKey, { operation_type, state, service_id, reason }: DeviceOperationReport): Promise<void> {
    const reported = await this.change(key, async (tx, operation, part) => {
      if (operation.operation !== operation_type)
        refuse([{ field: 'operation_type', message: `the operation is a ${operation.operation}` }]);
      if (part.state === state) return;
      refuseEnded(part);
      const to = state === 'COMPLETED' && !needsProof(operation) ? 'SUCCESS' : state;
      const way = wayTo(part.state, to);
      if (!way) return refuse([{ field: 'state', message: `${state} does not lie ahead of ${part.state}` }]);
      const why = reason ? `${service_id}: ${reason}` : service_id;
      await this.walk(tx, operation, part, way, why);
      const over = isEnd(deviceOperationLifecycle, to) || to === 'COMPLETED';
      if (over && part.state !== 'COMPLETED') this.cancelCommand(tx, operation, part, why);
    });
    if (state === 'COMPLETED') await this.proof.check(key.project_id, key.operation_id, [reported.id]);
  }

  private async change(
    key: PartKey,
    body: (tx: Tx, operation: LockedOperation, part: Standing) => Promise<void>,
  ): Promise<Standing> {
    const changed = await this.journal.transaction(key.project_id, async (tx) => {
      const operation = await this.operations.lock(tx, key.operation_id);
      if (!operation) throw noSuchOperation(key.operation_id);
      refuseDeleted(operation);
      const part = await this.parts.ofDevice(tx, operation.id, key.device_id);
      if (!part) throw noSuchPart(key);
      await body(tx, operation, part);
      return part;
    });
    this.runner.wake({ project_id: key.project_id, id: key.operation_id });
    return changed;
  }

  private async walk(
    tx: Tx,
    operation: LockedOperation,
    { id }: Standing,
    way: readonly DeviceOperationState[],
    reason: string,
  ): Promise<void> {
    await this.move.walk(tx, operation.id, [{ id, way, reason }]);
    const last = way.at(-1);
    if (last && isEnd(deviceOperationLifecycle, last)) tellEnded(tx, operation, [{ ref: id, state: last, reason }]);
  }

  private cancelCommand(tx: Tx, operation: LockedOperation, { id, command_id }: Standing, reason: string): void {
    if (command_id === null) return;
    const trace = operation.traceparent ?? undefined;
    tx.work(commandWork.cancel, cancelHead(operation, reason), [cancelItem({ id, command_id })], trace);
  }
}

function refuseEnded({ state }: Standing): void {
  if (!isEnd(deviceOperationLifecycle, state)) return;
  refuse([{ field: 'state', message: `a device operation that is ${state} cannot be changed` }]);
}
