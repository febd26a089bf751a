import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { percentile } from './statistics.ts';

describe('a percentile', () => {
  it('given the numbers from 1 to 100 in any order, then the percentile is the rank itself', () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect([0.01, 0.5, 0.99, 1].map((share) => percentile(values, share))).toEqual([1, 50, 99, 100]);
  });

  it('given any values, then at least that share of them is not above it, and less than that share is below it', () => {
    const values = fc.array(fc.double({ noNaN: true }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(values, fc.integer({ min: 1, max: 100 }), (all, percent) => {
        const found = percentile(all, percent / 100);
        expect(all).toContain(found);
        expect(all.filter((value) => value <= found).length * 100).toBeGreaterThanOrEqual(percent * all.length);
        expect(all.filter((value) => value < found).length * 100).toBeLessThan(percent * all.length);
      }),
    );
  });

  it('given no values, then it is refused', () => {
    expect(() => percentile([], 0.5)).toThrow('a percentile of no values');
  });
});
