import { commandWork } from '@muster/contracts';
import { Journal } from '@muster/journal';
import type { RunnerKey } from '@muster/service';
import { Injectable } from '@nestjs/common';
import { DeviceOperationStore } from '../device-operations/device-operation.store.js';
import { cancelHead, cancelItem, requestHead, requestItem } from './operation.ask.js';
import { inFlight } from './operation.decide.js';
import { OperationRollout } from './operation.rollout.js';
import { OperationStore } from './operation.store.js';

/**
 * Asks again for the commands of device operations that have been in flight for long without their outcome, or for their cancel. Asking twice
 * changes nothing, and for a command that has ended the outcome comes again: so a work batch that the bus lost costs time and never a hang.
 */
@Injectable()
export class OperationReconcile {
  constructor(
    private readonly journal: Journal,
    private readonly operations: OperationStore,
    private readonly parts: DeviceOperationStore,
    private readonly rollout: OperationRollout,
  ) {}

  async askAgain(key: RunnerKey): Promise<void> {
    await this.rollout.askAgain(key);
    for (let more = true; more;) more = await this.askPage(key);
  }

  private askPage({ project_id, id }: RunnerKey): Promise<boolean> {
    return this.journal.transaction(project_id, async (tx) => {
      const operation = await this.operations.lock(tx, id);
      if (!operation || operation.rollout_state !== 'none' || inFlight(operation) === 0) return false;
      const silent = await this.parts.claimSilent(tx, id);
      const trace = operation.traceparent ?? undefined;
      const running = silent.filter((part) => !part.cancel_requested);
      const stopping = silent.filter((part) => part.cancel_requested);
      tx.work(commandWork.request, requestHead(operation, Date.now()), running.map(requestItem), trace);
      tx.work(commandWork.cancel, cancelHead(operation, operation.reason), stopping.map(cancelItem), trace);
      return silent.length > 0;
    });
  }
}
