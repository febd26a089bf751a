import { jobWork, operationPartWork, type DeviceOperationState, type PartEnd, type WorkItem } from '@muster/contracts';
import type { Tx } from '@muster/journal';
import type { LockedOperation } from '../operations/operation.store.js';

/** What a command of an operation with a rollout came to, as job-planner hears it, which says what that makes of the device. */
export type ToldOutcome = WorkItem<typeof jobWork.outcome>;

type Named = Pick<ToldOutcome, 'command_id' | 'ref'>;

/** Of a device that is as it should be. */
export const shown = ({ command_id, ref }: Named, reason: string, sent: boolean): ToldOutcome => ({
  command_id,
  ref,
  status: 'SUCCESS',
  reason,
  code: '',
  sent,
});

/** Of one that said so, and whose report does not show it. */
export const notShown = ({ command_id, ref }: Named, reason: string): ToldOutcome => ({
  command_id,
  ref,
  status: 'FAILURE',
  reason,
  code: '',
  sent: true,
  shown: false,
});

/** The operation is locked by the transaction, and has a rollout. */
export function tellOutcomes(tx: Tx, { id, traceparent }: LockedOperation, outcomes: readonly ToldOutcome[]): void {
  tx.work(jobWork.outcome, { request_id: id }, outcomes, traceparent ?? undefined);
}

const END_OF: Readonly<Partial<Record<DeviceOperationState, PartEnd['end']>>> = {
  SUCCESS: 'succeeded',
  FAILURE: 'failed',
  TIMEOUT: 'timed_out',
};

/** A device operation that a user or a service has ended, or wants ended; undefined: it is not there. */
export interface EndedPart {
  ref: string;
  state: DeviceOperationState | undefined;
  reason: string;
}

/** The same of parts for which no command is awaited any more; those that have not ended are cancelled. */
export function tellEnded(tx: Tx, operation: LockedOperation, parts: readonly EndedPart[]): void {
  if (operation.rollout_state === 'none') return;
  const ends = parts.map(({ ref, state, reason }): PartEnd => {
    return { ref, end: (state && END_OF[state]) ?? 'cancelled', reason };
  });
  tx.work(operationPartWork.ended, { operation_id: operation.id }, ends, operation.traceparent ?? undefined);
}
