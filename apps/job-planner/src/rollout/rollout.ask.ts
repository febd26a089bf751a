import { commandWork, jobWork, ROLLOUT_TIMEOUTS, type WorkHead, type WorkItem } from '@muster/contracts';
import type { Moved, Tx } from '@muster/journal';
import type { Family } from './family.js';
import type { LockedRollout } from './locked-rollout.js';
import type { RolloutEntity } from './rollout.entity.js';
import { windowsOf } from './rollout.windows.js';
import type { Askable } from './target.store.js';

type Asking = Pick<RolloutEntity, 'id' | 'spec' | 'command' | 'args' | 'reason'>;

/** What the commands of a rollout share: the rollout is the request. */
export function requestHead({ id, spec, command, args }: Asking): WorkHead<typeof commandWork.request> {
  const { timeout = {}, priority = 0, evidence } = spec;
  return {
    request_id: id,
    command,
    args,
    in_progress_seconds: timeout.in_progress_seconds ?? ROLLOUT_TIMEOUTS.in_progress_seconds,
    offline_seconds: offlineSeconds(spec),
    priority,
    reply_to: jobWork.outcome.subject,
    holds_to: jobWork.step.subject,
    ...(evidence && { proof_path: evidence.path }),
  };
}

/** How long a device may be out of reach. */
export const offlineSeconds = ({ timeout = {} }: RolloutEntity['spec']): number =>
  timeout.offline_seconds ?? ROLLOUT_TIMEOUTS.offline_seconds;

/** A device's part that is under way, with the columns that its family needs. */
export type UnderWay = Omit<Askable, 'state'> & Record<string, unknown>;

/** The part of a row that a statement gave. */
export const underWay = ({ id, row }: Pick<Moved, 'id' | 'row'>): UnderWay => ({ ...row, id }) as UnderWay;

/** Asks for the commands of devices. None is sent after the window of its device has closed. */
export function request(tx: Tx, { row, now }: LockedRollout, family: Family, parts: readonly UnderWay[]): void {
  const { open } = windowsOf(row, now);
  const items = parts.map((part): WorkItem<typeof commandWork.request> => {
    const item = {
      command_id: part.command_id,
      device_id: part.device_id,
      ref: part.id,
      turn: part.releases,
      ...family.item(part),
    };
    return open ? { ...item, expires_at: closingOf(part, open, now).toISOString() } : item;
  });
  tx.work(commandWork.request, requestHead(row), items, row.traceparent ?? undefined);
}

/** By when the command of a device must have been sent: until its window closes, or its time to be contacted is over. */
function closingOf({ timezone, contact_by }: UnderWay, open: ReadonlyMap<string, number>, now: number): Date {
  const closes = timezone === null ? [...open.values()][0] : open.get(timezone as string);
  return new Date(Math.min(closes ?? now, (contact_by as Date | null)?.getTime() ?? Infinity));
}

/** Asks for the cancel of commands of the rollout; `waiting_only`: of those that no device was sent. */
export function cancel(
  tx: Tx,
  { row }: LockedRollout,
  parts: readonly { id: string; command_id: string }[],
  { reason = row.reason, waiting_only = false }: { reason?: string; waiting_only?: boolean } = {},
): void {
  const items = parts.map(({ id, command_id }) => ({ command_id, ref: id }));
  const head = {
    request_id: row.id,
    reason,
    reply_to: jobWork.outcome.subject,
    ...(waiting_only && { waiting_only }),
  };
  tx.work(commandWork.cancel, head, items, row.traceparent ?? undefined);
}
