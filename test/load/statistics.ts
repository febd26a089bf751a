/**
 * The value below which a share of the values lies, by the nearest rank.
 * @param share 0 to 1, e.g. 0.99.
 * @throws RangeError when there are no values.
 */
export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError('a percentile of no values');
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
}
