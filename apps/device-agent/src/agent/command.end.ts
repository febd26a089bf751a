import { isObject, type JsonObject, type StatusMessage } from '@muster/contracts';
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

/** What a boot says of the command that asked for it: it is proven by a boot id that is another than `before`. */
export function endByBoot(before: string, after: string): CommandEnd {
  if (after !== before) return { status: 'success', evidence: { before, after } };
  return {
    status: 'failure',
    code: 'not_rebooted',
    reason: 'the boot id is still the same',
    evidence: { before, after },
  };
}

/**
 * Whether a handler that has asked for a reboot leaves its result to the next boot. A signal that the agent did not send
 * comes from the machine going down, as does the end of the agent itself.
 */
export const awaitsBoot = ({ exitCode, signal }: HandlerEnd, stopCode: StopCode | undefined): boolean =>
  stopCode ? stopCode === 'interrupted' : exitCode === 0 || signal !== null;

/** What a handler's end means: exit code 0 is success; else the code it gave, or `exit_<n>`, or `signal_<name>`. */
export function endOf(end: HandlerEnd): CommandEnd {
  const evidence = end.evidence && { evidence: end.evidence };
  if (end.error !== undefined) return { status: 'failure', code: 'not_started', reason: end.error };
  if (end.exitCode === 0) {
    const reason = end.evidenceDropped && { reason: `evidence dropped: ${end.evidenceDropped}` };
    return { status: 'success', ...evidence, ...reason };
  }
  const code = end.code ?? (end.signal ? `signal_${end.signal}` : `exit_${end.exitCode}`);
  return { status: 'failure', code, reason: end.stderr || `the handler ended with ${code}`, ...evidence };
}

/** The part of the evidence that is news about the device's reported state: a failed command may have changed it too. */
export function reportedBy({ evidence }: CommandEnd): JsonObject | undefined {
  const reported = evidence?.['reported'];
  return isObject(reported) ? reported : undefined;
}
