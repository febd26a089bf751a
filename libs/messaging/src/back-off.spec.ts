import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backOff } from './back-off.js';

const attempt = fc.integer({ min: 1, max: 10_000 });
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('backOff', () => {
  it('given any attempt and chance, then it is between half and the whole of the doubled wait, and at most 30 s', () => {
    fc.assert(
      fc.property(attempt, chance, (n, random) => {
        const ceiling = Math.min(200 * 2 ** (n - 1), 30_000);
        const ms = backOff(n, () => random);
        expect(Number.isInteger(ms)).toBe(true);
        expect(ms).toBeGreaterThanOrEqual(Math.floor(ceiling / 2));
        expect(ms).toBeLessThanOrEqual(ceiling);
      }),
      {
        examples: [
          [1, 0],
          [8, 0.5],
          [9, 0.999],
        ],
      },
    );
  });

  it('given the same chance, then a later attempt never waits less', () => {
    fc.assert(
      fc.property(attempt, attempt, chance, (a, b, random) => {
        const [earlier, later] = [Math.min(a, b), Math.max(a, b)];
        expect(backOff(later, () => random)).toBeGreaterThanOrEqual(backOff(earlier, () => random));
      }),
    );
  });

  it('given many at once, then they do not come back together', () => {
    const waits = Array.from({ length: 50 }, () => backOff(8));
    expect(new Set(waits).size).toBeGreaterThan(10);
  });
});
