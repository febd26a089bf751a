import { commandWork, operationRolloutWork, type WorkBatch } from '@muster/contracts';
import { Journal } from '@muster/journal';
import { Work } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { cancelHead } from '../operations/operation.ask.js';
import { OperationRunner } from '../operations/operation.runner.js';
import { OperationStore } from '../operations/operation.store.js';
import { DeviceOperationEnds } from './device-operation.ends.js';
import { DeviceOperationTurn } from './device-operation.turn.js';

type Contracts = typeof operationRolloutWork;

/** What job-planner says of the devices of operations that it rolls out; what comes late or twice changes nothing. */
@Controller()
export class OperationRolloutWork {
  constructor(
    private readonly journal: Journal,
    private readonly operations: OperationStore,
    private readonly turn: DeviceOperationTurn,
    private readonly ends: DeviceOperationEnds,
    private readonly runner: OperationRunner,
  ) {}

  @Work(operationRolloutWork.request, { concurrency: 3 })
  async onRequest({ project_id, head, items }: WorkBatch<Contracts['request']>): Promise<void> {
    await this.turn.come(project_id, head, items);
    this.runner.wake({ project_id, id: head.request_id });
  }

  /** A command that command-dispatcher does not know yet stays cancelled there. What awaits its proof has no command any more. */
  @Work(operationRolloutWork.cancel, { concurrency: 1 })
  async onCancel({ project_id, head, items }: WorkBatch<Contracts['cancel']>): Promise<void> {
    const { request_id: id, reason, waiting_only } = head;
    await this.journal.transaction(project_id, async (tx) => {
      const operation = await this.operations.lock(tx, id);
      if (!operation) return;
      const asked = { ...cancelHead(operation, reason), ...(waiting_only !== undefined && { waiting_only }) };
      tx.work(commandWork.cancel, asked, items, operation.traceparent ?? undefined);
    });
  }

  @Work(operationRolloutWork.end, { concurrency: 3 })
  async onEnd({ project_id, head, items }: WorkBatch<Contracts['end']>): Promise<void> {
    const { operation_id: id } = head;
    await this.journal.transaction(project_id, async (tx) => {
      const operation = await this.operations.lock(tx, id);
      if (operation) await this.ends.apply(tx, operation, items);
    });
    this.runner.wake({ project_id, id });
  }

  @Work(operationRolloutWork.waits, { concurrency: 1 })
  onWaits({ project_id, items }: WorkBatch<Contracts['waits']>): Promise<void> {
    return this.journal.transaction(project_id, (tx) => this.operations.saveWaits(tx, items));
  }

  @Work(operationRolloutWork.over, { concurrency: 1 })
  async onOver({ project_id, items }: WorkBatch<Contracts['over']>): Promise<void> {
    for (const { operation_id: id, reason } of items) {
      await this.journal.transaction(project_id, (tx) => this.operations.saveRollout(tx, id, 'over', reason));
      this.runner.wake({ project_id, id });
    }
  }
}
