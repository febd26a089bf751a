import type { JsonObject, StatusMessage } from '@muster/contracts';
import { MAX_EVIDENCE } from './handler.output.js';
import type { HandlerEnd } from './handler.process.js';

/** Why the agent stopped a handler before its end; also the `code` of the failure. */
export type StopCode = 'deadline' | 'cancelled' | 'interrupted';

/** How a command ended, as its status says it. */
export type CommandEnd = Pick<StatusMessage, 'code' | 'reason' | 'evidence'> & { status: 'success' | 'failure' };

const STOP_REASONS: Record<StopCode, string> = {
  deadline: 'stopped at its deadline',
  cancelled: 'stopped by a cancel',
  interrupted: 'the agent ended before the command did',
};

/** The end of a command that the agent did not let run, or stopped. */
export const stopped = (code: StopCode): CommandEnd => ({ status: 'failure', code, reason: STOP_REASONS[code] });

/** What a handler's end means: exit code 0 is success, any other `exit_<n>`, a signal `signal_<name>`. */
export function endOf(end: HandlerEnd): CommandEnd {
  const evidence = end.evidence && { evidence: end.evidence };
  if (end.error !== undefined) return { status: 'failure', code: 'not_started', reason: end.error };
  if (end.exitCode === 0) {
    const reason = end.evidenceDropped && { reason: `evidence dropped: larger than ${MAX_EVIDENCE} bytes` };
    return { status: 'success', ...evidence, ...reason };
  }
  const code = end.signal ? `signal_${end.signal}` : `exit_${end.exitCode}`;
  return { status: 'failure', code, reason: end.stderr || `the handler ended with ${code}`, ...evidence };
}

/** The part of the evidence that is news about the device's reported state. */
export function reportedBy({ status, evidence }: CommandEnd): JsonObject | undefined {
  const reported = evidence?.['reported'];
  const isObject = typeof reported === 'object' && reported !== null && !Array.isArray(reported);
  return status === 'success' && isObject ? (reported as JsonObject) : undefined;
}
