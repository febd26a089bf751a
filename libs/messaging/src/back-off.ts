/** Milliseconds to wait before the next try: doubling from 200 ms to 30 s, with jitter so that many do not come back at once. */
export function backOff(attempt: number, random: () => number = Math.random): number {
  const ceiling = Math.min(200 * 2 ** Math.min(attempt - 1, 12), 30_000);
  return Math.round(ceiling * (0.5 + random() / 2));
}
