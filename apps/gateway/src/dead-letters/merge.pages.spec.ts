import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergePages, type Page } from './merge.pages.js';

interface Thing {
  id: string;
}

/** A source's page as it may come: no more than asked for, and sometimes fewer although there are more. */
const pageOf = (things: readonly Thing[], after: string, limit: number, cut: number): Page<Thing> => {
  const rest = things.filter(({ id }) => id > after);
  const items = rest.slice(0, Math.max(1, Math.min(limit, cut)));
  return { items, next: items.length < rest.length ? items.at(-1)!.id : null };
};

const fleet = fc
  .uniqueArray(fc.integer({ min: 1, max: 999 }), { maxLength: 40 })
  .chain((numbers) =>
    fc.tuple(...numbers.map((number) => fc.tuple(fc.constant(number), fc.integer({ min: 0, max: 2 })))),
  );

describe('the pages of several sources', () => {
  it('given any sources, limit and short pages, then following `next` gives everything once, in order, no page above the limit', () => {
    fc.assert(
      fc.property(fleet, fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 7 }), (numbers, limit, cut) => {
        const sources = [0, 1, 2].map((source) =>
          numbers
            .filter(([, at]) => at === source)
            .map(([number]) => ({ id: String(number).padStart(3, '0') }))
            .sort((a, b) => (a.id < b.id ? -1 : 1)),
        );
        const seen: string[] = [];
        let after: string | null = '';
        for (let pages = 0; after !== null; pages++) {
          expect(pages).toBeLessThanOrEqual(numbers.length + 1);
          const from: string = after;
          const page: Page<Thing> = mergePages(
            sources.map((things) => pageOf(things, from, limit, cut)),
            limit,
          );
          expect(page.items.length).toBeLessThanOrEqual(limit);
          seen.push(...page.items.map(({ id }) => id));
          after = page.next;
        }
        expect(seen).toEqual(
          sources
            .flat()
            .map(({ id }) => id)
            .sort(),
        );
      }),
    );
  });
});
