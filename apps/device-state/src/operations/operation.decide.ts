import type { OperationState, WaitsFor } from '@muster/contracts';
import { isEnd } from '@muster/lifecycle';
import type { Counts } from '../device-operations/device-operation.way.js';
import { operationLifecycle } from './operation.lifecycle.js';

/** What is wanted of an operation. */
export type Wish = 'run' | 'cancel' | 'time_out';

/**
 * Where an operation with a rollout stands with job-planner, which decides when each device's part begins and how it ends: it has yet to hear of
 * it, has it in hand, was told to stop, or has no open part any more.
 */
export type RolloutState = 'none' | 'new' | 'given' | 'stopped' | 'over';

/** All that the next step of an operation depends on. */
export interface OperationFacts extends Counts {
  state: OperationState;
  wish: Wish;
  /** No window is to be waited for, or the first may open by now. */
  open: boolean;
  /** Its time is up. */
  late: boolean;
  /** All devices have their device operation. */
  resolved: boolean;
  /** Why not every one of its devices has its turn, be it resolved or not; empty when all do. */
  fault: string;
  rollout_state: RolloutState;
}

/** The next thing to do; every step touches at most a batch of device operations. */
export type OperationStep =
  | { do: 'enter'; state: OperationState }
  | { do: 'resolve' }
  | { do: 'dispatch' }
  /** job-planner is told of its rollout, or that this is to stop; or it has ended there, and what is open here ends as it did there. */
  | { do: 'hand_over' }
  | { do: 'stop_rollout' }
  | { do: 'settle' }
  | { do: 'time_out' }
  | { do: 'stop_created' }
  | { do: 'stop_in_flight' }
  | { do: 'end'; through: readonly OperationState[]; reason?: string }
  | { do: 'wait' };

const WAIT: OperationStep = { do: 'wait' };

const enter = (state: OperationState): OperationStep => ({ do: 'enter', state });

/** Decides from counts and wishes alone what an operation does next. */
export function nextStep(operation: OperationFacts): OperationStep {
  if (isEnd(operationLifecycle, operation.state)) return WAIT;
  if (operation.wish !== 'run') return stop(operation, operation.wish === 'cancel' ? 'CANCELLED' : 'TIMEOUT');
  if (operation.late) return { do: 'time_out' };
  if (operation.rollout_state === 'over' && openCount(operation) > 0) return { do: 'settle' };
  switch (operation.state) {
    case 'CREATED':
      return enter(operation.open ? 'RESOLVING' : 'SCHEDULED');
    case 'SCHEDULED':
      return operation.open ? enter('RESOLVING') : WAIT;
    case 'RESOLVING':
      return operation.resolved ? enter('RESOLVED') : { do: 'resolve' };
    case 'RESOLVED':
      return operation.rollout_state === 'new' && openCount(operation) > 0 ? { do: 'hand_over' } : enter('DISPATCHING');
    case 'DISPATCHING':
      if (operation.in_created === 0) return enter('DISPATCHED');
      return operation.rollout_state === 'none' ? { do: 'dispatch' } : WAIT;
    case 'DISPATCHED':
      if (operation.sent > 0 || inFlight(operation) === 0) return enter('PROCESSING');
      return WAIT;
    default:
      // Why not every device had its turn is known once the rollout is over.
      return inFlight(operation) > 0 || isRolledOut(operation) ? WAIT : { do: 'end', ...resultOf(operation) };
  }
}

/** How many device operations have begun and not ended. */
export const inFlight = (counts: Counts): number =>
  counts.in_initiated + counts.in_dispatched + counts.in_processing + counts.in_completed;

/** How many device operations have not ended. */
export const openCount = (counts: Counts): number => counts.in_created + inFlight(counts);

/** Whether job-planner has its rollout in hand, as far as is known. */
export const isRolledOut = ({ rollout_state }: Pick<OperationFacts, 'rollout_state'>): boolean =>
  rollout_state === 'given' || rollout_state === 'stopped';

/** How many device operations there are. */
export const resolvedCount = (counts: Counts): number => openCount(counts) + endedCount(counts);

const endedCount = (counts: Counts): number =>
  counts.in_success + counts.in_failure + counts.in_timeout + counts.in_cancelled;

function stop(operation: OperationFacts, as: 'CANCELLED' | 'TIMEOUT'): OperationStep {
  if (operation.in_created > 0) return { do: 'stop_created' };
  const open = inFlight(operation);
  if (open > operation.stopping) return { do: 'stop_in_flight' };
  // It may have been handed over although nobody heard the answer.
  const isHandedOver = operation.rollout_state === 'new' && operation.state === 'RESOLVED';
  if (operation.rollout_state === 'given' || isHandedOver) return { do: 'stop_rollout' };
  if (operation.rollout_state === 'over' && open > 0) return { do: 'settle' };
  return open === 0 ? { do: 'end', through: [as] } : WAIT;
}

/** SUCCESS means that every device did it; an operation without any device did nothing. */
function resultOf(operation: OperationFacts): { through: OperationState[]; reason?: string } {
  const all = endedCount(operation);
  const others = all - operation.in_success;
  if (all > 0 && others === 0 && operation.fault === '') return { through: ['COMPLETED', 'SUCCESS'] };
  if (operation.fault !== '') return { through: ['COMPLETED', 'FAILURE'], reason: operation.fault };
  const reason = all === 0 ? 'no device to work on' : `${others} of ${all} devices did not succeed`;
  return { through: ['COMPLETED', 'FAILURE'], reason };
}

/** What a cancel makes of an operation, `null` when that is so already, or why it is refused. */
export function judgeCancel({
  state,
  wish,
}: {
  state: OperationState;
  wish: Wish;
}): 'cancel' | null | { refused: string } {
  if (state === 'CANCELLED') return null;
  if (isEnd(operationLifecycle, state)) return { refused: `an operation that is ${state} cannot be cancelled` };
  return wish === 'run' ? 'cancel' : null;
}

/** What an operation that has not ended waits for. */
export const waitsFor: Readonly<Partial<Record<OperationState, WaitsFor>>> = {
  CREATED: 'resolve',
  SCHEDULED: 'window',
  RESOLVING: 'resolve',
  RESOLVED: 'dispatch',
  DISPATCHING: 'dispatch',
  DISPATCHED: 'in_flight',
  PROCESSING: 'in_flight',
  COMPLETED: 'dispatch',
};
