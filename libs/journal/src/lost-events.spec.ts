import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findLost } from './lost-events.js';
import type { Place } from './relay.store.js';

/** Rows with gaps between them, of which the stream holds the first ones. */
const history = fc.record({
  events: fc.array(fc.integer({ min: 1, max: 500 }), { maxLength: 60 }),
  moved: fc.func(fc.boolean()),
  held: fc.nat(60),
});

const rowsOf = (events: number[], moved: (index: number) => boolean): Place[] => {
  let told = 0;
  const rows = events.map((count) => ({ told: (told += count), streamSeq: told, events: [] }));
  return rows.filter((_, index) => !moved(index));
};

const find = (rows: readonly Place[], held: number) => {
  let looks = 0;
  const lost = findLost(
    async (low, high) => rows.findLast(({ told }) => told > low && told <= high),
    async (place) => {
      looks++;
      return rows.indexOf(place) < held;
    },
  );
  return lost.then((range) => ({ range, looks: () => looks }));
};

describe('finding what a stream lost', () => {
  it('given any rows of which the first are held, then the range has exactly the others', async () => {
    await fc.assert(
      fc.asyncProperty(history, async ({ events, moved, held }) => {
        const rows = rowsOf(events, moved);
        const { range } = await find(rows, held);
        const inRange = rows.filter(({ told }) => range && told > range.after && told <= range.upTo);
        expect(inRange).toEqual(rows.slice(held));
        expect(range === undefined).toBe(held >= rows.length);
      }),
    );
  });

  it('given nothing lost, then it has looked once; given ten million events, then a few dozen times', async () => {
    const rows = rowsOf(new Array<number>(20_000).fill(500), () => false);
    expect((await find(rows, rows.length)).looks()).toBe(1);
    expect((await find(rows, 12_345)).looks()).toBeLessThan(30);
  });
});
