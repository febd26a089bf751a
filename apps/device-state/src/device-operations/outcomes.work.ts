import {
  commandWork,
  jobWork,
  operationWork,
  type DeviceOperationState,
  type WorkBatch,
  type WorkItem,
} from '@muster/contracts';
import { Journal, type Tx } from '@muster/journal';
import { Work } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { needsProof } from '../operations/operation.advance.js';
import { cancelHead, cancelItem } from '../operations/operation.ask.js';
import { OperationRunner } from '../operations/operation.runner.js';
import { OperationStore, type LockedOperation } from '../operations/operation.store.js';
import { DeviceOperationMove, type Walk } from './device-operation.move.js';
import { DeviceOperationProof } from './device-operation.proof.js';
import { DeviceOperationStore, type Standing } from './device-operation.store.js';
import { wasSent, wayTo } from './device-operation.way.js';
import { tellEnded, tellOutcomes } from './told.outcomes.js';

type Outcome = WorkItem<typeof operationWork.outcome>;
type Step = WorkItem<typeof operationWork.step>;

/** What is held moves nothing. */
const STEP_STATES = {
  QUEUED: undefined,
  INITIATED: 'DISPATCHED',
  ACKNOWLEDGED: 'PROCESSING',
  INPROGRESS: 'PROCESSING',
  HELD: undefined,
  REACHABLE: undefined,
} as const satisfies Record<Step['step'], DeviceOperationState | undefined>;

/** The steps that say whether a device is in reach. */
const REACH: readonly Step['step'][] = ['HELD', 'REACHABLE'];

/** Where only the device's own word, its command's outcome, leads on. */
const UNDERWAY: readonly DeviceOperationState[] = ['INITIATED', 'DISPATCHED', 'PROCESSING'];

/** What command-dispatcher tells of commands moves their device operations; what comes late, twice or in another order moves nothing back. */
@Controller()
export class DeviceOperationOutcomes {
  constructor(
    private readonly journal: Journal,
    private readonly operations: OperationStore,
    private readonly parts: DeviceOperationStore,
    private readonly move: DeviceOperationMove,
    private readonly proof: DeviceOperationProof,
    private readonly runner: OperationRunner,
  ) {}

  @Work(operationWork.outcome, { concurrency: 3 })
  async onOutcome({ project_id, head, items }: WorkBatch<typeof operationWork.outcome>): Promise<void> {
    const operation = await this.apply(project_id, head.request_id, items, (item, part, locked) => {
      if (locked.rollout_state !== 'none' && !awaitsProof(item, locked))
        return item.sent && part.state === 'INITIATED' ? { id: part.id, way: ['DISPATCHED'], reason: '' } : undefined;
      const to = endOf(item, locked);
      const way = wayTo(part.state, to, wasSent(item.status, item.code));
      return way && { id: part.id, way, reason: item.status === 'SUCCESS' ? item.reason : item.reason || item.code };
    });
    if (operation && needsProof(operation)) {
      const done = items.filter(({ status }) => status === 'SUCCESS').map(({ ref }) => ref);
      await this.proof.check(project_id, operation.id, done);
    }
  }

  @Work(operationWork.step, { concurrency: 3 })
  async onStep({ project_id, head, items }: WorkBatch<typeof operationWork.step>): Promise<void> {
    await this.apply(project_id, head.request_id, items, (item, part) => {
      const to = STEP_STATES[item.step];
      const way = to && wayTo(part.state, to);
      return way && { id: part.id, way, reason: '' };
    });
  }

  private async apply<Item extends Outcome | Step>(
    project: string,
    operationId: string,
    items: readonly Item[],
    walkOf: (item: Item, part: Standing, operation: LockedOperation) => Walk | undefined,
  ): Promise<LockedOperation | undefined> {
    const operation = await this.journal.transaction(project, async (tx) => {
      const locked = await this.operations.lock(tx, operationId);
      if (!locked) return undefined;
      const found = await this.parts.standing(
        tx,
        operationId,
        items.map(({ ref }) => ref),
      );
      const standing = new Map(found.map((part) => [part.id, part]));
      const walks = new Map<string, Walk>();
      for (const item of items) {
        const part = standing.get(item.ref);
        if (part?.command_id !== item.command_id || !UNDERWAY.includes(part.state)) continue;
        const walk = walkOf(item, part, locked);
        // Of two that speak of the same, the one that leads further counts.
        if (walk && walk.way.length > (walks.get(part.id)?.way.length ?? 0)) walks.set(part.id, walk);
      }
      await this.move.walk(tx, operationId, [...walks.values()]);
      if (locked.rollout_state !== 'none') this.tell(tx, locked, items, standing);
      // Their cancel was lost, or is on its way.
      const needless = items.filter((item) => isSentInVain(item, standing.get(item.ref)));
      const cancels = needless.map(({ ref, command_id }) => cancelItem({ id: ref, command_id }));
      tx.work(
        commandWork.cancel,
        cancelHead(locked, 'ended before it was sent'),
        cancels,
        locked.traceparent ?? undefined,
      );
      return locked;
    });
    if (operation) this.runner.wake({ project_id: project, id: operationId });
    return operation;
  }

  /** What job-planner decides by: what became of commands, and which devices are out of reach. */
  private tell(
    tx: Tx,
    operation: LockedOperation,
    items: readonly (Outcome | Step)[],
    standing: ReadonlyMap<string, Standing>,
  ): void {
    // Of what a service calls COMPLETED the proof decides, whatever the command came to.
    const isAwaited = (item: Outcome) => {
      const part = standing.get(item.ref);
      return part?.command_id === item.command_id && (awaitsProof(item, operation) || part.state === 'COMPLETED');
    };
    tellOutcomes(
      tx,
      operation,
      items.filter((item): item is Outcome => 'status' in item && !isAwaited(item)),
    );
    // It waits for another try, or has to hear first what its command came to: either way there is none after this.
    const stopped = items.filter(
      (item) => 'status' in item && item.status !== 'CANCELLED' && !isAwaited(item) && isStopping(item, standing),
    );
    tellEnded(
      tx,
      operation,
      stopped.map(({ ref }) => ({ ref, state: 'CANCELLED', reason: 'cancelled' })),
    );
    const steps = items.filter((item): item is Step => 'step' in item && REACH.includes(item.step));
    tx.work(jobWork.step, { request_id: operation.id }, steps, operation.traceparent ?? undefined);
  }
}

/** Whether the device has yet to show what its command came to. */
const awaitsProof = ({ status }: Outcome, operation: LockedOperation): boolean =>
  status === 'SUCCESS' && needsProof(operation);

/** Whether this tells of the command of a device operation that is to be cancelled. */
const isStopping = ({ ref, command_id }: Outcome, standing: ReadonlyMap<string, Standing>): boolean => {
  const part = standing.get(ref);
  return part?.command_id === command_id && part.cancel_requested && UNDERWAY.includes(part.state);
};

/** Whether this tells of the send of a command whose device operation was over by then, by a service's word. */
const isSentInVain = (item: Outcome | Step, part: Standing | undefined): boolean =>
  'step' in item && item.step === 'INITIATED' && part?.command_id === item.command_id && !UNDERWAY.includes(part.state);

/** How a device operation ends, or begins to await its proof. What was cancelled because time was up has run out of time. */
function endOf({ status }: Outcome, operation: LockedOperation): DeviceOperationState {
  if (status === 'SUCCESS') return needsProof(operation) ? 'COMPLETED' : 'SUCCESS';
  return status === 'CANCELLED' && operation.wish === 'time_out' ? 'TIMEOUT' : status;
}
