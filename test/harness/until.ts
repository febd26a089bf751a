import { setTimeout as delay } from 'node:timers/promises';

/** Asks until the answer is truthy, and gives it. @throws after `timeout` ms, naming what did not come. */
export async function until<T>(
  what: string,
  ask: () => Promise<T> | T,
  { timeout, interval = 100 }: { timeout: number; interval?: number },
): Promise<NonNullable<T>> {
  const giveUp = Date.now() + timeout;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > giveUp) throw new Error(`${what}: not within ${timeout / 1000} s`);
    await delay(interval);
  }
}
