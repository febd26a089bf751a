import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { convergenceAfter, isConverged } from './drift.decide.js';

const desired = { region: 'eu', app: { version: 2, on: true } };
const fresh = { converged: false, drifted: false };

describe('convergenceAfter', () => {
  it('given a device that never had all, when some is missing, then it has not drifted', () => {
    expect(convergenceAfter(fresh, desired, { region: 'eu' })).toEqual({ ...fresh, paths: [] });
  });

  it('given a device that had all, when it loses some, then it has drifted, and says what it lost', () => {
    const lost = convergenceAfter({ converged: true, drifted: false }, desired, { region: 'us', app: { version: 2 } });
    expect(lost).toEqual({ converged: false, drifted: true, paths: ['region', 'app.on'] });
    expect(convergenceAfter(lost, desired, { region: 'eu', app: { version: 1, on: true } })).toEqual({
      converged: false,
      drifted: true,
      paths: ['app.version'],
    });
    expect(convergenceAfter(lost, desired, { ...desired, more: 1 })).toEqual({
      converged: true,
      drifted: false,
      paths: [],
    });
  });

  it('given nothing that is desired, then no device is converged, and none drifts', () => {
    expect(isConverged({}, { a: 1 })).toBe(false);
    expect(convergenceAfter(fresh, {}, { a: 1 })).toEqual({ ...fresh, paths: [] });
  });

  it('given any reports one after the other, then it has drifted exactly if it had all once and lacks some now', () => {
    const value = fc.constantFrom('eu', 'us', 2);
    const report = fc.record({ region: value, app: fc.record({ version: value, on: fc.boolean() }) });
    fc.assert(
      fc.property(fc.array(report, { minLength: 1, maxLength: 6 }), (reports) => {
        let now = { ...fresh, paths: [] as string[] };
        let had = false;
        for (const reported of reports) {
          now = convergenceAfter(now, desired, reported);
          const has = isConverged(desired, reported);
          expect(now).toMatchObject({ converged: has, drifted: had && !has });
          expect(now.paths.length > 0).toBe(now.drifted);
          had ||= has;
        }
      }),
    );
  });
});
