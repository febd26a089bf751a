import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backOff, PASSING_TROUBLE_MS } from './back-off.js';

const attempt = fc.integer({ min: 1, max: 10_000 });
const most = fc.constantFrom(PASSING_TROUBLE_MS, 30_000);
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('backOff', () => {
  it('given any attempt and chance, then it is between half and the whole of the doubled wait, and no more than the longest', () => {
    fc.assert(
      fc.property(attempt, most, chance, (n, longest, random) => {
        const ceiling = Math.min(200 * 2 ** (n - 1), longest);
        const ms = backOff(n, longest, () => random);
        expect(Number.isInteger(ms)).toBe(true);
        expect(ms).toBeGreaterThanOrEqual(Math.floor(ceiling / 2));
        expect(ms).toBeLessThanOrEqual(ceiling);
      }),
      {
        examples: [
          [1, 30_000, 0],
          [8, 30_000, 0.5],
          [9, 2_000, 0.999],
        ],
      },
    );
  });

  it('given the same chance, then a later attempt never waits less', () => {
    fc.assert(
      fc.property(attempt, attempt, most, chance, (a, b, longest, random) => {
        const [earlier, later] = [Math.min(a, b), Math.max(a, b)];
        expect(backOff(later, longest, () => random)).toBeGreaterThanOrEqual(backOff(earlier, longest, () => random));
      }),
    );
  });

  it('given many at once, then they do not come back together', () => {
    const waits = Array.from({ length: 50 }, () => backOff(8));
    expect(new Set(waits).size).toBeGreaterThan(10);
  });
});
