/** A page of a list; `more`: others follow its last one. */
export interface Page<T> {
  items: T[];
  more: boolean;
}

/** Orders texts upwards. */
export const upwards = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * One page out of the pages of several sources, each asked after the same thing, in the order of `compare`, in which no two things are equal.
 * Beyond the end of a page that is followed by others its source may have more, so nothing beyond the nearest such end is taken.
 */
export function mergePages<T>(pages: readonly Page<T>[], limit: number, compare: (a: T, b: T) => number): Page<T> {
  const [end] = pages.flatMap(({ items, more }) => (more ? items.slice(-1) : [])).sort(compare);
  const all = pages.flatMap(({ items }) => items).sort(compare);
  const items = all.filter((item) => end === undefined || compare(item, end) <= 0).slice(0, limit);
  return { items, more: end !== undefined || items.length < all.length };
}
