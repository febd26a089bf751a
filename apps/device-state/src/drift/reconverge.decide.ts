import type { DeviceOperationState, Reconverge } from '@muster/contracts';
import { isEnd } from '@muster/lifecycle';
import { deviceOperationLifecycle } from '../device-operations/device-operation.lifecycle.js';

const WINDOW_SECONDS = 86_400;

/** How often a drift was converged again, for which operation, and since when that is counted. */
export interface Tries {
  source_id: string | null;
  attempts: number;
  window_start: Date | null;
  /** The last of them has not come to the device yet. */
  repeating: boolean;
  /** The operation that was to be the last of them, if that was cancelled and no other CONVERGE has come to the device since. */
  withdrawn: string | null;
}

/** The last CONVERGE of a device. `source_id`: for which operation it converges again, if it does. */
export interface LastConverge {
  operation_id: string;
  source_id: string | null;
  state: DeviceOperationState;
}

/**
 * The operation that the last CONVERGE goes back to, or is. `rule`: whether it wants its devices converged again; `over`: its maker allowed
 * changes in windows alone, and none of them is to come.
 */
export interface Source {
  id: string;
  cancelled: boolean;
  rule: Reconverge | null;
  over: boolean;
}

/** `nothing`: nobody wants the device converged again. `wait`: a CONVERGE of it is under way. */
export type Verdict =
  | { do: 'nothing' }
  | { do: 'wait' }
  | { do: 'converge'; attempts: number; window_start: Date }
  | { do: 'leave'; reason: string };

/**
 * What becomes of a device that has drifted. Its last CONVERGE decides: one that converged it, or one that tried to do so again and failed.
 * @param now epoch milliseconds.
 */
export function judgeDrift(
  tries: Tries,
  last: LastConverge | undefined,
  source: Source | undefined,
  now: number,
): Verdict {
  if (tries.repeating || (last && !isEnd(deviceOperationLifecycle, last.state))) return { do: 'wait' };
  const withdrawn = tries.withdrawn ?? (last?.source_id && last.state === 'CANCELLED' ? last.operation_id : null);
  if (withdrawn) return leave(`operation ${withdrawn}, which was to converge it again, was cancelled`);
  const counts = last?.state === 'SUCCESS' || last?.source_id;
  if (!counts || !source?.rule || source.cancelled) return { do: 'nothing' };
  const { max, window_seconds = WINDOW_SECONDS } = source.rule;
  const { attempts, window_start } =
    tries.source_id === source.id && tries.window_start && now < tries.window_start.getTime() + window_seconds * 1000
      ? { attempts: tries.attempts, window_start: tries.window_start }
      : { attempts: 0, window_start: new Date(now) };
  if (attempts >= max) {
    const times = attempts === 1 ? 'once' : `${attempts} times`;
    return leave(`converged again ${times} in ${window_seconds} s for operation ${source.id}`);
  }
  if (source.over) return leave(`the schedule of operation ${source.id} is over`);
  return { do: 'converge', attempts: attempts + 1, window_start };
}

const leave = (why: string): Verdict => ({ do: 'leave', reason: `left alone: ${why}` });
