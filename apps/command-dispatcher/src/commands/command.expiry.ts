/** SQL: when a command that waits for its window is looked at: at its opening, unless it expires before. */
export const dueInWindow = (expiry: string) => `least(i.window_opens, ${expiry})`;

/** SQL: when a command in the queue is looked at: when it expires, or when its window closes. */
export const dueInQueue = (alias: string, expiry: string) => `least(${expiry}, ${alias}.window_closes)`;

/** SQL: when commands asked for now expire that may wait for `i.offline_seconds`, and until `expiresAt` at the latest. */
export function expiryOf(expiresAt: string | undefined): string {
  const offline = 'now() + make_interval(secs => i.offline_seconds)';
  return expiresAt === undefined ? offline : `least(${offline}, '${new Date(expiresAt).toISOString()}'::timestamptz)`;
}
