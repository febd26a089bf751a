import type { DeviceOperationState } from '@muster/contracts';
import { isEnd } from '@muster/lifecycle';
import { deviceOperationLifecycle } from './device-operation.lifecycle.js';

type State = DeviceOperationState;

/**
 * Counts of an operation's row. `in_…`: device operations that are in the state now; together they are all there are. Cumulative are `sent`,
 * those that were ever DISPATCHED, and `unsent`, those that ended FAILURE or TIMEOUT without it. `stopping`: open ones with a cancel asked.
 */
export type Counts = Record<`in_${Lowercase<State>}` | 'sent' | 'unsent' | 'stopping', number>;
export type CountChanges = Partial<Counts>;

export const countOf = (state: State) => `in_${state.toLowerCase()}` as `in_${Lowercase<State>}`;

/**
 * The states that lead from one to another, by the shortest way and the last included; empty when it is there already, undefined when no way
 * leads there. `sent`: it is known to have been sent to its device, whatever was heard of that so far.
 */
export function wayTo(from: State, to: State, sent = false): State[] | undefined {
  if (sent && from === 'INITIATED' && to !== 'DISPATCHED') {
    const rest = wayTo('DISPATCHED', to);
    return rest && ['DISPATCHED', ...rest];
  }
  const ways: State[][] = [[]];
  const seen = new Set([from]);
  for (const way of ways) {
    const last = way.at(-1) ?? from;
    if (last === to) return way;
    for (const next of deviceOperationLifecycle.states[last].to) {
      if (seen.has(next)) continue;
      seen.add(next);
      ways.push([...way, next]);
    }
  }
  return undefined;
}

const UNSENT: readonly string[] = ['CREATED', 'INITIATED'] satisfies State[];

/** What moves of device operations from one state to the next do to the counts. */
export function countMoves(
  to: State,
  moved: readonly { from: string; cancel_requested: boolean }[],
  changes: CountChanges = {},
): CountChanges {
  const add = (name: keyof Counts, change: number) => {
    changes[name] = (changes[name] ?? 0) + change;
  };
  for (const { from, cancel_requested } of moved) {
    add(countOf(from as State), -1);
    add(countOf(to), 1);
    if (to === 'DISPATCHED') add('sent', 1);
    if ((to === 'FAILURE' || to === 'TIMEOUT') && UNSENT.includes(from)) add('unsent', 1);
    if (cancel_requested && isEnd(deviceOperationLifecycle, to)) add('stopping', -1);
  }
  return changes;
}

/** The codes of commands that ended without ever being sent to their device. */
const UNSENT_CODES = ['never_contacted', 'unknown_device', 'window_missed', 'lock_lost'];

/** Whether a command that ended in this way had been sent. Of one that was cancelled only the steps tell. */
export const wasSent = (status: 'SUCCESS' | 'FAILURE' | 'TIMEOUT' | 'CANCELLED', code: string): boolean =>
  status === 'SUCCESS' || (status !== 'CANCELLED' && !UNSENT_CODES.includes(code));
