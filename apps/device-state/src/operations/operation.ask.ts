import {
  commandWork,
  CONVERGE,
  MOST_OFFLINE_SECONDS,
  operationWork,
  type WorkHead,
  type WorkItem,
} from '@muster/contracts';
import type { JsonObject } from '@muster/contracts';
import { listed, unprovisioned } from '../devices/difference.js';
import type { OperationEntity } from './operation.entity.js';

/** From the send of a command to its TIMEOUT. */
export const IN_PROGRESS_SECONDS = 3_600;
/** What an operation leaves its last words on the way, once its last command must have ended. */
export const LAST_WORDS_SECONDS = 300;
/** Why a device needs no command. */
export const CONVERGED = 'already converged';

type Asker = Pick<
  OperationEntity,
  'id' | 'operation' | 'arguments' | 'schedule_type' | 'schedule_args' | 'console_timezone' | 'deadline' | 'reason'
>;

/** Whether a CONVERGE also sends what the device does not report at all. */
export const provisions = ({ arguments: given }: Pick<OperationEntity, 'arguments'>): boolean =>
  given['converge_with_provision'] === true;

/** What a device that succeeded lacks all the same, as its reason says it; empty when that is nothing. */
export function leftOut(desired: JsonObject, reported: JsonObject): string {
  const paths = unprovisioned(desired, reported);
  return paths.length > 0 ? `not provisioned: ${listed(paths)}` : '';
}

/** The reason of a device that needs no command, with what it lacks all the same. */
export const alreadyConverged = (desired: JsonObject, reported: JsonObject): string =>
  [CONVERGED, leftOut(desired, reported)].filter(Boolean).join('; ');

/** What the commands of an operation share: the operation is the request. One that is never sent ends before the operation's time is up. */
export function requestHead(operation: Asker, now: number): WorkHead<typeof commandWork.request> {
  const { schedule_type, schedule_args, console_timezone } = operation;
  const left = (operation.deadline.getTime() - now) / 1000 - IN_PROGRESS_SECONDS - LAST_WORDS_SECONDS;
  return {
    request_id: operation.id,
    command: operation.operation,
    args: operation.operation === CONVERGE ? { provision: provisions(operation) } : operation.arguments,
    in_progress_seconds: IN_PROGRESS_SECONDS,
    offline_seconds: Math.min(Math.max(1, Math.floor(left)), MOST_OFFLINE_SECONDS),
    priority: 0,
    reply_to: operationWork.outcome.subject,
    steps_to: operationWork.step.subject,
    ...(schedule_type === 'WINDOW' && {
      schedule: { schedule: schedule_type, args: schedule_args, console_timezone },
    }),
  };
}

/** The same where job-planner rolls the operation out, which says how long its devices have, and hears of those that are out of reach. */
export function rolloutHead(operation: Asker, asked: WorkHead<typeof commandWork.request>) {
  const { in_progress_seconds, offline_seconds, priority, proof_path } = asked;
  const { schedule: _, ...head } = requestHead(operation, Date.now());
  return {
    ...head,
    in_progress_seconds,
    offline_seconds,
    priority,
    holds_to: operationWork.step.subject,
    ...(proof_path !== undefined && { proof_path }),
  };
}

/** One device operation's command. `wanted`: of a CONVERGE, what the device has to change. */
export const requestItem = (part: {
  id: string;
  device_id: string;
  command_id: string;
  timezone: string;
  wanted: JsonObject | null;
}): WorkItem<typeof commandWork.request> => ({
  command_id: part.command_id,
  device_id: part.device_id,
  ref: part.id,
  args: part.wanted ? { desired: part.wanted } : {},
  timezone: part.timezone,
});

/** What the cancels of an operation's commands share. */
export const cancelHead = (operation: Pick<Asker, 'id'>, reason: string): WorkHead<typeof commandWork.cancel> => ({
  request_id: operation.id,
  reason,
  reply_to: operationWork.outcome.subject,
});

/** The cancel of one device operation's command. */
export const cancelItem = (part: { id: string; command_id: string }): WorkItem<typeof commandWork.cancel> => ({
  command_id: part.command_id,
  ref: part.id,
});
