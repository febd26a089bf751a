import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fitting, pageOf } from './fitting.js';

const KIB = 1024;

describe('what one answer may carry', () => {
  it('given items of any size, then the first of them that fit, and never none', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 300 * KIB }), { maxLength: 12 }), (sizes) => {
        const items = sizes.map((size) => 'x'.repeat(size));
        const page = fitting(items);
        expect(page).toEqual(items.slice(0, page.length));
        const bytes = (count: number) => items.slice(0, count).reduce((sum, item) => sum + item.length + 2, 0);
        if (page.length > 1) expect(bytes(page.length)).toBeLessThanOrEqual(512 * KIB);
        if (page.length < items.length) expect(bytes(page.length + 1)).toBeGreaterThan(512 * KIB);
        if (items.length > 0) expect(page.length).toBeGreaterThan(0);
      }),
      { numRuns: 50 },
    );
  });

  it('given what was read one beyond the limit, or more than fits, then the page says that others follow', () => {
    expect(pageOf([1, 2, 3], 2)).toEqual({ entries: [1, 2], more: true });
    expect(pageOf([1, 2], 2)).toEqual({ entries: [1, 2], more: false });
    const large = 'x'.repeat(400 * KIB);
    expect(pageOf([large, large], 2)).toEqual({ entries: [large], more: true });
  });
});
