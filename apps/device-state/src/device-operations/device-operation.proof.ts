import { BATCH_SIZE } from '@muster/contracts';
import { Journal, type Tx } from '@muster/journal';
import { LOGGER, Loop, type Logger } from '@muster/service';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { differenceOf, isEmpty, listed, pathsOf } from '../devices/difference.js';
import { leftOut, provisions } from '../operations/operation.ask.js';
import { OperationRunner } from '../operations/operation.runner.js';
import { OperationStore, type LockedOperation } from '../operations/operation.store.js';
import { DeviceOperationMove, PROOF_SECONDS } from './device-operation.move.js';
import { DeviceOperationStore, type ProofKey, type Unproven } from './device-operation.store.js';
import { notShown, shown, tellOutcomes } from './told.outcomes.js';

const SWEEP_MS = 500;
/** Documents are compared in portions of so many at the most, for each may be large. */
const PORTION = 50;

/**
 * Ends device operations of a CONVERGE by what their devices report: SUCCESS as soon as that shows what was asked for, FAILURE when it does not
 * in time. What a device has shown since it was asked counts whatever it reports later: that is a drift, and no failure. Looked at when the command has succeeded, at each report of the device after that, and when the time is up; each time after
 * the other's commit, so that of a success and a report that cross, the later sees both.
 */
@Injectable()
export class DeviceOperationProof implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly sweep: Loop;

  constructor(
    private readonly journal: Journal,
    private readonly operations: OperationStore,
    private readonly parts: DeviceOperationStore,
    private readonly move: DeviceOperationMove,
    private readonly runner: OperationRunner,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.sweep = new Loop('proof sweep', SWEEP_MS, () => this.step(), logger);
  }

  onApplicationBootstrap(): void {
    this.sweep.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.sweep.stop();
  }

  /** Looks at those that the reports of these devices may prove. */
  async onReports(project: string, deviceIds: readonly string[]): Promise<void> {
    await this.checkAll(await this.parts.provable(project, deviceIds));
  }

  /** Looks at device operations of one operation; those that await no proof are left alone. */
  async check(project: string, operationId: string, ids: readonly string[]): Promise<void> {
    for (let at = 0; at < ids.length;) at += await this.checkPortion(project, operationId, ids.slice(at, at + PORTION));
    if (ids.length > 0) this.runner.wake({ project_id: project, id: operationId });
  }

  private async step(): Promise<boolean> {
    const due = await this.parts.proofsDue(BATCH_SIZE);
    await this.checkAll(due);
    return due.length === BATCH_SIZE;
  }

  private async checkAll(keys: readonly ProofKey[]): Promise<void> {
    for (const [operationId, parts] of Map.groupBy(keys, (key) => key.operation_id))
      await this.check(
        parts[0]!.project_id,
        operationId,
        parts.map(({ id }) => id),
      );
  }

  /** @returns how many of them were looked at. */
  private checkPortion(project: string, operationId: string, all: readonly string[]): Promise<number> {
    return this.journal.transaction(project, async (tx) => {
      const operation = await this.operations.lock(tx, operationId);
      if (!operation) return all.length;
      const ids = all.slice(0, await this.parts.comparable(tx, all));
      const verdicts = (await this.parts.unproven(tx, ids)).flatMap((part) => judge(part, provisions(operation)));
      if (operation.rollout_state !== 'none') await this.tell(tx, operation, verdicts);
      else {
        const walks = verdicts.map(({ id, state, reason }) => ({ id, way: [state], reason }));
        await this.move.walk(tx, operationId, walks);
      }
      return ids.length;
    });
  }

  /** job-planner says how a device of a rollout ended; what it does not hear is told again. */
  private async tell(tx: Tx, operation: LockedOperation, verdicts: readonly Verdict[]): Promise<void> {
    const outcomes = verdicts.flatMap(({ id: ref, command_id, state, reason }) => {
      if (command_id === null) return [];
      const named = { ref, command_id };
      return [state === 'SUCCESS' ? shown(named, reason, true) : notShown(named, reason)];
    });
    tellOutcomes(tx, operation, outcomes);
    await this.parts.lookLater(
      tx,
      verdicts.map(({ id }) => id),
      PROOF_SECONDS,
    );
  }
}

interface Verdict {
  id: string;
  command_id: string | null;
  state: 'SUCCESS' | 'FAILURE';
  reason: string;
}

function judge({ id, command_id, wanted, desired, reported, shown, late }: Unproven, provision: boolean): Verdict[] {
  const missing = differenceOf(wanted, reported);
  if (shown || isEmpty(missing))
    return [{ id, command_id, state: 'SUCCESS', reason: provision ? '' : leftOut(desired, reported) }];
  if (!late) return [];
  return [{ id, command_id, state: 'FAILURE', reason: `the report does not show it: ${listed(pathsOf(missing))}` }];
}
