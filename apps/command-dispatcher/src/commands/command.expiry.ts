import type { Given } from '@muster/journal';

/** SQL: when a command that waits for its window is looked at: at its opening, unless it expires before. */
export const dueInWindow = (expiry: string) => `least(i.window_opens, ${expiry})`;

/** SQL: when a command in the queue is looked at: when it expires, or when its window closes. */
export const dueInQueue = (alias: string, expiry: string) => `least(${expiry}, ${alias}.window_closes)`;

/** SQL: when commands asked for now expire that may wait for `i.offline_seconds`, and until `i.latest` at the latest: see {@link latest}. */
export const EXPIRY = 'least(now() + make_interval(secs => i.offline_seconds), i.latest)';

/** What {@link EXPIRY} needs to know of each command: until when it may wait at the latest, null where nothing was said. */
export const latest = (times: readonly (Date | null)[]): Given => ({ latest: { type: 'timestamptz', values: times } });

/** The earlier of the times that a request and one of its items expire at; null where neither was said. */
export function expiresAtOf(request: { expires_at?: string }, item: { expires_at?: string }): Date | null {
  const times = [request.expires_at, item.expires_at]
    .filter((time) => time !== undefined)
    .map((time) => Date.parse(time));
  return times.length > 0 ? new Date(Math.min(...times)) : null;
}
