import { PAGE_BYTES } from '@muster/contracts';

/** As many of the items, from the first, as one answer may carry, or `most` bytes hold; the first of all in any case. */
export function fitting<T>(items: Iterable<T>, most = PAGE_BYTES): T[] {
  const page: T[] = [];
  let bytes = 0;
  for (const item of items) {
    bytes += Buffer.byteLength(JSON.stringify(item));
    if (bytes > most && page.length > 0) break;
    page.push(item);
  }
  return page;
}

/** A page of what was read up to one beyond `limit`, as far as one answer may carry it; `more`: others follow. */
export function pageOf<T>(read: readonly T[], limit: number): { entries: T[]; more: boolean } {
  const entries = fitting(read.slice(0, limit));
  return { entries, more: entries.length < read.length };
}
