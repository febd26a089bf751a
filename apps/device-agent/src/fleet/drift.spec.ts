import { mergePatch, type JsonObject } from '@muster/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { driftFrom } from './drift.js';

const wanted = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })) as fc.Arbitrary<JsonObject>;

/** Whether a merge patch sets a value, and does not merely remove some. */
const sets = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.values(value).some(sets)
    : value !== null;

describe('given what a device was told to be', () => {
  it('when it drifts, then it is something else after that, unless nothing was set', () => {
    fc.assert(
      fc.property(wanted, (desired) => {
        const drift = driftFrom(desired);
        expect(drift !== undefined).toBe(sets(desired));
        const converged = mergePatch({}, desired);
        if (drift) expect(mergePatch(converged, drift)).not.toEqual(converged);
      }),
    );
  });
});
