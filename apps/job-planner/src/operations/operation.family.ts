import {
  BATCH_SIZE,
  operationEntity,
  operationRollouts,
  operationRolloutWork,
  type JsonObject,
} from '@muster/contracts';
import type { Tx } from '@muster/journal';
import { RpcClient } from '@muster/messaging';
import { Injectable } from '@nestjs/common';
import type { Subject } from '../approvals/approvals.js';
import type { Ask, EndedPart, Family, TargetPage } from '../rollout/family.js';
import type { LockedRollout } from '../rollout/locked-rollout.js';
import { OneCommandFamily } from '../rollout/one-command.family.js';
import { queryOfPass } from '../rollout/passes.js';
import type { RolloutEntity } from '../rollout/rollout.entity.js';
import { operationTargets } from './operation-part.table.js';

/**
 * Operations as rollouts. They are device-state's: it lists their devices, asks for their commands when their turn has come, and is told how each
 * part ended.
 */
@Injectable()
export class OperationFamily extends OneCommandFamily implements Family {
  readonly name = 'operation';
  readonly table = operationTargets;
  readonly work = operationRolloutWork;
  readonly repeats = true;
  readonly canPause = false;

  constructor(private readonly rpc: RpcClient) {
    super();
  }

  async page(rollout: RolloutEntity): Promise<TargetPage> {
    const { project_id, id, plan_cursor } = rollout;
    const query = queryOfPass(rollout);
    const { parts, next } = await this.rpc.call(operationRollouts.listOperationParts, {
      project_id,
      id,
      limit: BATCH_SIZE,
      ...(query && { query }),
      ...(plan_cursor !== '' && { after: plan_cursor }),
    });
    const targets = parts.map((part) => ({ ...part, target_id: part.device_id, own: {} }));
    return { targets, cursor: next ?? plan_cursor, last: next === null };
  }

  // An operation has no way back: its rollout is refused where it asks for one.
  before(): Promise<ReadonlyMap<string, JsonObject>> {
    return Promise.resolve(new Map());
  }

  // What the device is told is device-state's to say.
  ask({ id, command }: RolloutEntity): Ask {
    return { request_id: id, command, args: {}, own: {} };
  }

  finished(tx: Tx, { id, row }: LockedRollout, parts: readonly EndedPart[]): Promise<void> {
    const ends = parts.map(({ id: ref, end, reason }) => ({ ref, end, reason }));
    tx.work(operationRolloutWork.end, { operation_id: id }, ends, row.traceparent ?? undefined);
    return Promise.resolve();
  }

  subject(_tx: Tx, { id, row }: LockedRollout): Promise<Subject> {
    const { requested_by } = row.args as { requested_by: string };
    return Promise.resolve({ entity: operationEntity.name, id, name: row.command, requested_by });
  }

  // Its states are device-state's, and follow from those of its devices.

  began(): Promise<void> {
    return Promise.resolve();
  }

  stopping(): Promise<void> {
    return Promise.resolve();
  }

  goesOn(): Promise<void> {
    throw new Error('an operation is never paused');
  }

  rested(tx: Tx, rollout: LockedRollout): Promise<void> {
    return this.over(tx, rollout, rollout.row.reason);
  }

  ended(tx: Tx, rollout: LockedRollout): Promise<void> {
    return this.over(tx, rollout, '');
  }

  bringBack(): Promise<void> {
    throw new Error('an operation has no way back');
  }

  private over(tx: Tx, { id, row }: LockedRollout, reason: string): Promise<void> {
    tx.work(operationRolloutWork.over, {}, [{ operation_id: id, reason }], row.traceparent ?? undefined);
    return Promise.resolve();
  }
}
