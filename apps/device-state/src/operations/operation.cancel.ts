import { DomainError } from '@muster/contracts';
import { Journal } from '@muster/journal';
import type { RunnerKey } from '@muster/service';
import { Injectable } from '@nestjs/common';
import { refuse } from '../devices/device.rules.js';
import { OperationAdvance } from './operation.advance.js';
import { judgeCancel, nextStep } from './operation.decide.js';
import { OperationRunner } from './operation.runner.js';
import { OperationStore } from './operation.store.js';

export const noSuchOperation = (id: string) => new DomainError('not_found', `operation ${id} does not exist`);

/** What a user's cancel makes of an operation: the wish is taken in under its lock, and the runner carries it out. */
@Injectable()
export class OperationCancel {
  constructor(
    private readonly journal: Journal,
    private readonly operations: OperationStore,
    private readonly advance: OperationAdvance,
    private readonly runner: OperationRunner,
  ) {}

  /** @throws DomainError `not_found`, or `invalid` when the operation has ended otherwise; nothing changes then. */
  async cancel(key: RunnerKey, reason: string, by: string): Promise<void> {
    await this.journal.transaction(key.project_id, async (tx) => {
      const operation = await this.operations.lock(tx, key.id);
      if (!operation) throw noSuchOperation(key.id);
      const verdict = judgeCancel(operation);
      if (verdict === null) return;
      if (verdict !== 'cancel') return refuse([{ field: 'state', message: verdict.refused }]);
      await this.operations.saveWish(tx, key.id, 'cancel', reason, by);
      const cancelled = { ...operation, wish: 'cancel', reason } as const;
      const step = nextStep(cancelled);
      if (step.do === 'end') await this.advance.take(tx, cancelled, step);
    });
    this.runner.wake(key);
  }
}
