import { BATCH_SIZE, operationRollouts, type PartEnd, type RolloutWait } from '@muster/contracts';
import { Journal, type Tx } from '@muster/journal';
import { RpcClient } from '@muster/messaging';
import type { RunnerKey } from '@muster/service';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { DeviceOperationEnds } from '../device-operations/device-operation.ends.js';
import { DeviceOperationStore } from '../device-operations/device-operation.store.js';
import { isRolledOut, openCount } from './operation.decide.js';
import { OperationEntity } from './operation.entity.js';
import { OperationStore, type LockedOperation } from './operation.store.js';

/** What is settled with job-planner of the rollout of an operation; it is asked without any lock. */
@Injectable()
export class OperationRollout {
  constructor(
    private readonly dataSource: DataSource,
    private readonly journal: Journal,
    private readonly rpc: RpcClient,
    private readonly operations: OperationStore,
    private readonly parts: DeviceOperationStore,
    private readonly ends: DeviceOperationEnds,
  ) {}

  /** From here on job-planner says when each device's part begins and how it ends. */
  async handOver({ project_id, id }: RunnerKey): Promise<void> {
    const { operation, created_by, rollout } = await this.dataSource
      .getRepository(OperationEntity)
      .findOneByOrFail({ project_id, id });
    await this.rpc.call(operationRollouts.startOperationRollout, {
      project_id,
      id,
      operation,
      requested_by: created_by,
      rollout: rollout!,
    });
    await this.journal.transaction(project_id, (tx) => this.operations.saveRollout(tx, id, 'given'));
  }

  /** No further device is to begin. */
  async stop({ project_id, id }: RunnerKey, reason: string): Promise<void> {
    await this.rpc.call(operationRollouts.stopOperationRollout, { project_id, id, reason });
    await this.journal.transaction(project_id, (tx) => this.operations.saveRollout(tx, id, 'stopped'));
  }

  /** Ends a batch of what is open here although the rollout is over. */
  async settle(key: RunnerKey): Promise<void> {
    const refs = (await this.parts.open(key.project_id, key.id)).map(({ id }) => id);
    await this.end(key, refs, true, null);
  }

  /**
   * Heals a word of the rollout that was lost: that it is over, what it waits for, how parts ended that have been under way for long, or that
   * some ended before they began. One whose devices have all been ended here, by users or services, is stopped: nobody has to wait or to decide for them.
   */
  async askAgain(key: RunnerKey): Promise<void> {
    const open = await this.journal.transaction(key.project_id, async (tx) => {
      const operation = await this.operations.lock(tx, key.id);
      if (!operation || !isRolledOut(operation)) return undefined;
      const silent = await this.parts.claimSilent(tx, key.id);
      const unbegun = await this.nextUnbegun(tx, operation, BATCH_SIZE - silent.length);
      // Of what is to stop, its own steps say so, and why.
      const isDone = operation.wish === 'run' && openCount(operation) === 0;
      const waited = operation.rollout_waits_for;
      return { refs: [...silent, ...unbegun].map(({ id }) => id), isDone, waited };
    });
    if (!open) return;
    const isOver = await this.end(key, open.refs, false, open.waited);
    if (!isOver && open.isDone) await this.stop(key, '');
  }

  /** The next of those that have not begun, however many there are: each look goes on where the last one ended, and begins anew after the last. */
  private async nextUnbegun(tx: Tx, operation: LockedOperation, limit: number): Promise<{ id: string }[]> {
    const { id, in_created, asked_after } = operation;
    if (in_created === 0 || limit === 0) return [];
    const unbegun = await this.parts.created(tx, id, asked_after, limit);
    const last = unbegun.length === limit ? unbegun.at(-1)!.device_id : null;
    if (last !== asked_after) await this.operations.saveAskedAfter(tx, id, last);
    return unbegun;
  }

  /**
   * @param waited what it was known to wait for before: a word that comes while this is asked stays, for it may be the later one
   * @returns whether the rollout is over
   */
  private async end(
    { project_id, id }: RunnerKey,
    refs: string[],
    isOver: boolean,
    waited: RolloutWait | null,
  ): Promise<boolean> {
    const known = await this.rpc.call(operationRollouts.operationPartEnds, { project_id, id, refs });
    const told = new Map(known.ends.map((end) => [end.ref, end]));
    await this.journal.transaction(project_id, async (tx) => {
      const operation = await this.operations.lock(tx, id);
      if (!operation) return;
      if (known.over) await this.operations.saveRollout(tx, id, 'over', known.reason);
      const { waits_for } = known;
      if (waits_for && operation.rollout_waits_for === waited)
        await this.operations.saveWaits(tx, [{ operation_id: id, waits_for }]);
      const reason = known.rest.reason || operation.fault || operation.reason || 'its rollout is over';
      const untold = (ref: string): PartEnd => ({ ref, end: known.rest.end, reason });
      const ends = refs.flatMap((ref) => told.get(ref) ?? (isOver ? untold(ref) : []));
      await this.ends.apply(tx, operation, ends);
    });
    return known.over;
  }
}
