/** A page of things that are ordered by their ids; `next`: the id of its last one when more follow, else null. */
export interface Page<T extends { id: string }> {
  items: T[];
  next: string | null;
}

/**
 * One page out of the pages of several sources, each asked after the same id, in the order of ids. Beyond the end of a page that has a
 * `next` its source may have more, so nothing beyond the nearest such end is taken.
 */
export function mergePages<T extends { id: string }>(pages: readonly Page<T>[], limit: number): Page<T> {
  const [end] = pages.flatMap(({ next }) => next ?? []).sort();
  const all = pages.flatMap(({ items }) => items).sort((a, b) => (a.id < b.id ? -1 : 1));
  const items = all.filter(({ id }) => end === undefined || id <= end).slice(0, limit);
  const more = end !== undefined || items.length < all.length;
  return { items, next: more ? (items.at(-1)?.id ?? null) : null };
}
