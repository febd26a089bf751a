import { setTimeout as delay } from 'node:timers/promises';

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 2_000;

export interface RetryOptions {
  /** Ends the trying. */
  signal: AbortSignal;
  /** Told of every failed attempt, counted from 1. */
  failed?: (error: unknown, attempt: number) => void;
}

/**
 * Calls `attempt` until it succeeds, with a growing, jittered delay between calls, and answers its result.
 * @throws the signal's reason once it is aborted.
 */
export async function untilSuccess<T>(attempt: () => Promise<T>, { signal, failed }: RetryOptions): Promise<T> {
  for (let count = 1; ; count++) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      failed?.(error, count);
      const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(count - 1, 10));
      await delay(longest * (0.5 + Math.random() / 2), undefined, { signal });
    }
  }
}
