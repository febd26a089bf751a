import { commandWork, CONVERGE, type DeviceOperationState, type OperationState } from '@muster/contracts';
import { Journal, type Tx } from '@muster/journal';
import { inSpan, traceContext } from '@muster/messaging';
import type { RunnerKey } from '@muster/service';
import { Injectable } from '@nestjs/common';
import { SpanKind } from '@opentelemetry/api';
import { DataSource } from 'typeorm';
import { DeviceOperationDispatch } from '../device-operations/device-operation.dispatch.js';
import { DeviceOperationMove } from '../device-operations/device-operation.move.js';
import { DeviceOperationStore, type Standing } from '../device-operations/device-operation.store.js';
import { cancelHead, cancelItem } from './operation.ask.js';
import { nextStep, type OperationStep } from './operation.decide.js';
import { OperationEntity } from './operation.entity.js';
import { OperationResolve } from './operation.resolve.js';
import { OperationRollout } from './operation.rollout.js';
import { OperationStore, type LockedOperation } from './operation.store.js';
import { operationTable } from './operation.table.js';

/** Carries out the steps of an operation, each in a transaction of its own that holds the operation's lock. */
@Injectable()
export class OperationAdvance {
  constructor(
    private readonly dataSource: DataSource,
    private readonly journal: Journal,
    private readonly operations: OperationStore,
    private readonly parts: DeviceOperationStore,
    private readonly resolve: OperationResolve,
    private readonly dispatch: DeviceOperationDispatch,
    private readonly move: DeviceOperationMove,
    private readonly rollout: OperationRollout,
  ) {}

  /** Takes steps until the operation has to wait for others. */
  async advance({ project_id, id }: RunnerKey): Promise<void> {
    const operation = await this.dataSource
      .getRepository(OperationEntity)
      .findOne({ where: { project_id, id }, select: { project_id: true, id: true, traceparent: true, query: true } });
    if (!operation) return;
    await inSpan('operation advance', SpanKind.INTERNAL, traceContext(operation.traceparent), async () => {
      let cursor: string | null | undefined;
      let reason = '';
      for (;;) {
        const step = await this.step(project_id, id, (locked) => {
          cursor = locked.resolve_cursor;
          reason = locked.reason;
        });
        if (!step || step.do === 'wait') return;
        if (step.do === 'hand_over') await this.rollout.handOver({ project_id, id });
        if (step.do === 'stop_rollout') await this.rollout.stop({ project_id, id }, reason);
        if (step.do === 'settle') await this.rollout.settle({ project_id, id });
        if (step.do === 'resolve') await this.resolve.nextPage(project_id, operation, cursor ?? null);
      }
    });
  }

  /** One step under the operation's lock; what asks others is left to the caller, for no lock is held while somebody thinks. */
  private step(
    project: string,
    id: string,
    look: (operation: LockedOperation) => void,
  ): Promise<OperationStep | undefined> {
    return this.journal.transaction(project, async (tx) => {
      const operation = await this.operations.lock(tx, id);
      if (!operation) return undefined;
      look(operation);
      const step = nextStep(operation);
      await this.take(tx, operation, step);
      return step;
    });
  }

  /** Carries out one step; also right where a wish is taken in, so that what needs nobody else is done at once. */
  async take(tx: Tx, operation: LockedOperation, step: OperationStep): Promise<void> {
    switch (step.do) {
      case 'enter':
        await this.enter(tx, operation, step.state);
        break;
      case 'dispatch':
        await this.dispatch.nextBatch(tx, operation);
        break;
      case 'time_out':
        await this.operations.saveWish(tx, operation.id, 'time_out', 'its time was up', null);
        break;
      case 'stop_created':
        await this.end(tx, operation, await this.parts.created(tx, operation.id));
        break;
      case 'stop_in_flight':
        await this.stopInFlight(tx, operation);
        break;
      case 'end':
        for (const state of step.through) await this.enter(tx, operation, state, step.reason);
        break;
      case 'resolve':
      case 'hand_over':
      case 'stop_rollout':
      case 'settle':
      case 'wait':
        break;
    }
  }

  private async enter(tx: Tx, operation: LockedOperation, to: OperationState, reason?: string): Promise<void> {
    const ends = to === 'SUCCESS' || to === 'FAILURE' || to === 'CANCELLED' || to === 'TIMEOUT';
    await tx.transition(operationTable, to, {
      ids: [operation.id],
      set: {
        ...((to === 'CANCELLED' || to === 'TIMEOUT') && { reason: operation.reason }),
        ...(to === 'FAILURE' && { reason }),
        ...(ends && { due_at: null, wake_at: null }),
      },
      compute: {
        updated_at: 'now()',
        ...(to === 'SCHEDULED' && { wake_at: 't.opens_at' }),
        ...(to === 'RESOLVING' && { due_at: 't.deadline' }),
      },
    });
  }

  /** What cannot be told to stop ends at once; the others' cancels are asked for. One that awaits its proof ends by that. */
  private async stopInFlight(tx: Tx, operation: LockedOperation): Promise<void> {
    const parts = await this.parts.unstopped(tx, operation.id);
    const isTaken = ({ command_id, state }: Standing) => command_id === null && state !== 'COMPLETED';
    await this.end(tx, operation, parts.filter(isTaken));
    const stopping = parts.filter((part) => !isTaken(part));
    const marked = await this.parts.requestCancel(
      tx,
      stopping.map(({ id }) => id),
    );
    await this.operations.count(tx, operation.id, { stopping: marked });
    const items = stopping.flatMap(({ id, state, command_id }) =>
      command_id && state !== 'COMPLETED' ? [cancelItem({ id, command_id })] : [],
    );
    tx.work(commandWork.cancel, cancelHead(operation, operation.reason), items, operation.traceparent ?? undefined);
  }

  private async end(tx: Tx, { id, wish, reason }: LockedOperation, parts: readonly Standing[]): Promise<void> {
    const state: DeviceOperationState = wish === 'time_out' ? 'TIMEOUT' : 'CANCELLED';
    await this.move.walk(
      tx,
      id,
      parts.map((part) => ({ id: part.id, way: [state], reason })),
    );
  }
}

/** Whether an operation's devices prove by a report that they did it. */
export const needsProof = ({ operation }: Pick<OperationEntity, 'operation'>): boolean => operation === CONVERGE;
