import type { StatusMessage } from '@muster/contracts';
import { isEnd } from '@muster/lifecycle';
import { commandLifecycle } from './command.lifecycle.js';
import type { Standing } from './command.store.js';

/** A status as it came in. */
export interface DeviceStatus {
  device_id: string;
  payload: StatusMessage;
}

/** Why a status changes nothing. */
export type StatusDrop = 'unknown_command' | 'foreign_command' | 'old_fence' | 'already_ended';

export interface Judged {
  /** At most one a command in each list. */
  acknowledged: StatusMessage[];
  inprogress: StatusMessage[];
  ended: StatusMessage[];
  /** Ends of commands that had ended without the device: noted, and dropped all the same. */
  late: StatusMessage[];
  dropped: { status: DeviceStatus; reason: StatusDrop }[];
}

/**
 * Sorts a batch of statuses into what counts: a status counts when its command exists, belongs to the device that speaks, is in flight under this
 * fence. Of several ends of one command the first to arrive counts, of several progress reports the last.
 */
export function judgeStatuses(statuses: readonly DeviceStatus[], standing: ReadonlyMap<string, Standing>): Judged {
  const acknowledged = new Map<string, StatusMessage>();
  const inprogress = new Map<string, StatusMessage>();
  const ended = new Map<string, StatusMessage>();
  const late = new Map<string, StatusMessage>();
  const dropped: Judged['dropped'] = [];
  for (const status of statuses) {
    const { payload } = status;
    const command = standing.get(payload.command_id);
    const reason = dropReason(status, command);
    if (reason === 'already_ended' && isLateAnswer(payload, command!) && !late.has(payload.command_id))
      late.set(payload.command_id, payload);
    if (reason) dropped.push({ status, reason });
    else if (payload.status === 'acknowledged') acknowledged.set(payload.command_id, payload);
    else if (payload.status === 'inprogress') inprogress.set(payload.command_id, payload);
    else if (ended.has(payload.command_id)) dropped.push({ status, reason: 'already_ended' });
    else ended.set(payload.command_id, payload);
  }
  return {
    acknowledged: [...acknowledged.values()],
    inprogress: [...inprogress.values()],
    ended: [...ended.values()],
    late: [...late.values()],
    dropped,
  };
}

/**
 * The ends that need no judging if the device's lane says that their command is in flight under their fence: of commands that this batch says
 * nothing else of, at most one a device. A failure that may be an answered cancel is judged.
 */
export function plainEnds<S extends DeviceStatus>(statuses: readonly S[]): Map<string, S> {
  const mentions = Map.groupBy(statuses, (status) => status.payload.command_id);
  const ends = new Map<string, S>();
  for (const status of statuses) {
    const { command_id, status: word, code } = status.payload;
    const plain = word === 'success' || (word === 'failure' && code !== 'cancelled');
    if (plain && mentions.get(command_id)!.length === 1) ends.set(status.device_id, status);
  }
  return ends;
}

/** Whether it says of a command that ended without it what nobody knows; an answered cancel may come twice, as every message. */
const isLateAnswer = ({ status, code }: StatusMessage, { state }: Standing): boolean =>
  (status === 'success' || status === 'failure') &&
  (state === 'TIMEOUT' || (state === 'CANCELLED' && code !== 'cancelled'));

function dropReason(status: DeviceStatus, command: Standing | undefined): StatusDrop | undefined {
  if (!command) return 'unknown_command';
  if (command.device_id !== status.device_id) return 'foreign_command';
  if (command.fence !== status.payload.fence) return 'old_fence';
  if (isEnd(commandLifecycle, command.state)) return 'already_ended';
  // Its next attempt has a fence of its own, which it gets with its send.
  if (command.state === 'QUEUED' || command.state === 'SCHEDULED') return 'old_fence';
  return undefined;
}
