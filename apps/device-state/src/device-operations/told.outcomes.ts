import { jobWork, NOT_SHOWN, type CommandOutcome, type DeviceOperationState, type WorkItem } from '@muster/contracts';
import type { Tx } from '@muster/journal';
import type { LockedOperation } from '../operations/operation.store.js';

/** What a command of an operation with a rollout came to, as job-planner hears it, which says what that makes of the device. */
export type ToldOutcome = WorkItem<typeof jobWork.outcome>;

/** What a device operation that has ended by itself stands for, or that needs no command. */
const OUTCOME_OF: Readonly<Partial<Record<DeviceOperationState, CommandOutcome>>> = {
  COMPLETED: 'SUCCESS',
  SUCCESS: 'SUCCESS',
  FAILURE: 'FAILURE',
  TIMEOUT: 'TIMEOUT',
};

type Named = Pick<ToldOutcome, 'command_id' | 'ref'>;

/** Of one that has ended in a state, without its command; or that is not there. */
export const endedAs = (
  { command_id, ref }: Named,
  state: DeviceOperationState | undefined,
  reason: string,
): ToldOutcome => ({
  command_id,
  ref,
  status: (state && OUTCOME_OF[state]) ?? 'CANCELLED',
  reason,
  code: '',
  sent: state === 'SUCCESS',
});

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
  code: NOT_SHOWN,
  sent: true,
});

/** The operation is locked by the transaction, and has a rollout. */
export function tellOutcomes(tx: Tx, { id, traceparent }: LockedOperation, outcomes: readonly ToldOutcome[]): void {
  tx.work(jobWork.outcome, { request_id: id }, outcomes, traceparent ?? undefined);
}
