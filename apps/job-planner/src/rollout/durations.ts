/**
 * How long devices took from their release to their success, in buckets that are twice as long as the one before: bucket n has those of less than
 * 2^n seconds. Small, and exact enough for an estimate.
 */
export type Durations = Readonly<Record<string, number>>;

const MOST = 22;

/** Adds devices that took so many seconds. */
export function withDurations(durations: Durations, seconds: readonly number[]): Durations {
  const counts: Record<string, number> = { ...durations };
  for (const took of seconds) {
    const bucket = String(Math.min(MOST, Math.max(0, Math.floor(Math.log2(Math.max(took, 0.5))) + 1)));
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  }
  return counts;
}

/** Seconds below which at least `share` (0 to 1) of the devices stayed; undefined when none is known. */
export function quantile(durations: Durations, share: number): number | undefined {
  const buckets = Object.entries(durations)
    .map(([bucket, count]) => [Number(bucket), count] as const)
    .sort(([a], [b]) => a - b);
  const total = buckets.reduce((sum, [, count]) => sum + count, 0);
  let seen = 0;
  for (const [bucket, count] of buckets) {
    seen += count;
    if (seen >= share * total) return 2 ** bucket;
  }
  return undefined;
}
