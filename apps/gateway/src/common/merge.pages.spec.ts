import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergePages, upwards, type Page } from './merge.pages.js';

interface Thing {
  at: number;
  id: string;
}

type Compare = (a: Thing, b: Thing) => number;

const byTime: Compare = (a, b) => a.at - b.at || upwards(a.id, b.id);
const newestFirst: Compare = (a, b) => byTime(b, a);

/** A source's page as it may come: no more than asked for, and sometimes fewer although there are more. */
const pageOf = (things: readonly Thing[], after: Thing | undefined, limit: number, cut: number, compare: Compare) => {
  const rest = things.filter((thing) => after === undefined || compare(thing, after) > 0);
  const items = rest.slice(0, Math.max(1, Math.min(limit, cut)));
  return { items, more: items.length < rest.length };
};

// Few times, so that many things have the same one, in one source and in several.
const things = fc.uniqueArray(fc.integer({ min: 1, max: 999 }), { maxLength: 40 }).chain((numbers) =>
  fc.tuple(
    ...numbers.map((number) =>
      fc.record({
        id: fc.constant(String(number).padStart(3, '0')),
        at: fc.integer({ min: 0, max: 4 }),
        source: fc.integer({ min: 0, max: 2 }),
      }),
    ),
  ),
);
const size = fc.integer({ min: 1, max: 7 });

describe('the pages of several sources', () => {
  it.each([
    ['upwards', byTime],
    ['newest first', newestFirst],
  ])(
    'given any sources, equal times, limits and short pages, %s, then going on after the last gives everything once, in order, no page above the limit',
    (_order, compare) => {
      fc.assert(
        fc.property(things, size, fc.tuple(size, size, size), (all, limit, cuts) => {
          const sources = cuts.map((_, source) => all.filter((thing) => thing.source === source).sort(compare));
          const seen: Thing[] = [];
          for (let page: Page<Thing> = { items: [], more: true }, pages = 0; page.more; pages++) {
            expect(pages).toBeLessThanOrEqual(all.length + 1);
            const parts = sources.map((source, at) => pageOf(source, seen.at(-1), limit, cuts[at]!, compare));
            page = mergePages(parts, limit, compare);
            expect(page.items.length).toBeLessThanOrEqual(limit);
            seen.push(...page.items);
          }
          expect(seen).toEqual([...all].sort(compare));
        }),
      );
    },
  );
});
