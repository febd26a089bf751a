import { type commandWork, jobWork, ROLLOUT_TIMEOUTS, type WorkHead, type WorkItem } from '@muster/contracts';
import type { Moved, Tx } from '@muster/journal';
import type { Ask, Family, Part } from './family.js';
import type { LockedRollout } from './locked-rollout.js';
import type { RolloutEntity } from './rollout.entity.js';
import { windowsOf } from './rollout.windows.js';
import type { Askable } from './target.store.js';

type RequestHead = WorkHead<typeof commandWork.request>;

/** What the commands of one request of a rollout share. */
function requestHead({ spec }: RolloutEntity, family: Family, { request_id, command, args }: Ask): RequestHead {
  const { priority = 0, evidence } = spec;
  return {
    request_id,
    command,
    args,
    in_progress_seconds: inProgressSeconds(spec),
    offline_seconds: offlineSeconds(spec),
    priority,
    reply_to: jobWork.outcome.subject,
    holds_to: jobWork.step.subject,
    ...(family.hearsSteps && { steps_to: jobWork.step.subject }),
    ...(evidence && { proof_path: evidence.path }),
  };
}

/** How long a device may work on its command. */
export const inProgressSeconds = ({ timeout = {} }: RolloutEntity['spec']): number =>
  timeout.in_progress_seconds ?? ROLLOUT_TIMEOUTS.in_progress_seconds;

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
  for (const [, asked] of byRequest(row, family, parts)) {
    const items = asked.map(({ part, ask }): WorkItem<typeof commandWork.request> => {
      const { command_id, device_id, id: ref, releases: turn } = part;
      const item = { command_id, device_id, ref, turn, args: ask.own };
      return open ? { ...item, expires_at: closingOf(part, open, now).toISOString() } : item;
    });
    tx.work(family.work.request, requestHead(row, family, asked[0]!.ask), items, row.traceparent ?? undefined);
  }
}

/** Notes that devices began; with the first of them the rollout has begun, and its family hears of it. */
export async function noteBegun(tx: Tx, rollout: LockedRollout, family: Family): Promise<void> {
  const now = new Date(rollout.now);
  rollout.set({ released_at: now });
  if (rollout.row.began_at) return;
  rollout.set({ began_at: now });
  await family.began(tx, rollout);
}

/** Parts with what they are told, those of one request together. */
function byRequest<P extends Part>(row: RolloutEntity, family: Family, parts: readonly P[]) {
  const asked = parts.map((part) => ({ part, ask: family.ask(row, part) }));
  return Map.groupBy(asked, ({ ask }) => ask.request_id);
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
  family: Family,
  parts: readonly (Part & { id: string; command_id: string })[],
  { reason = row.reason, waiting_only = false }: { reason?: string; waiting_only?: boolean } = {},
): void {
  for (const [request_id, asked] of byRequest(row, family, parts)) {
    const items = asked.map(({ part: { id, command_id } }) => ({ command_id, ref: id }));
    const head = { request_id, reason, reply_to: jobWork.outcome.subject, ...(waiting_only && { waiting_only }) };
    tx.work(family.work.cancel, head, items, row.traceparent ?? undefined);
  }
}
