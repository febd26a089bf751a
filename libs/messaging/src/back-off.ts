/** The longest wait for a message whose own content seems to be the trouble. */
const MOST_MS = 30_000;
/**
 * The longest wait for a server that is away: whoever waits for it looks again soon after it is back, for what came due meanwhile must not be
 * late by much more than the trouble lasted.
 */
export const PASSING_TROUBLE_MS = 2_000;

/** Milliseconds to wait before the next try: doubling from 200 ms to `most`, with jitter so that many do not come back at once. */
export function backOff(attempt: number, most: number = MOST_MS, random: () => number = Math.random): number {
  const ceiling = Math.min(200 * 2 ** Math.min(attempt - 1, 12), most);
  return Math.round(ceiling * (0.5 + random() / 2));
}
