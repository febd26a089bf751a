import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { retryPause, type PauseRule } from './retry-pause.js';

const rule: fc.Arbitrary<PauseRule> = fc
  .record({
    outcome: fc.constantFrom('failed', 'timed_out', 'rejected', 'any'),
    code: fc.constantFrom(undefined, 'disk_full', 'exit_1'),
    max: fc.integer({ min: 1, max: 100 }),
    backoff_seconds: fc.constantFrom(undefined, 0, 1, 30, 86_400),
    factor: fc.constantFrom(undefined, 1, 1.5, 10),
    jitter: fc.constantFrom(undefined, 0, 0.2, 1),
  })
  .map((given) => Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as PauseRule);
const failed = fc.record({
  outcome: fc.constantFrom('failed', 'timed_out', 'rejected'),
  code: fc.constantFrom('', 'disk_full', 'exit_1', 'in_progress_timeout'),
  attempt: fc.integer({ min: 1, max: 120 }),
});
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('whether and when a command is tried again', () => {
  it('given any rules, then the first that fits decides, whatever stands behind it', () => {
    fc.assert(
      fc.property(fc.array(rule), fc.array(rule), failed, random, (some, more, attempt, at) => {
        const first = some.find(
          (one) =>
            (one.outcome === 'any' || one.outcome === attempt.outcome) &&
            (one.code === undefined || one.code === attempt.code),
        );
        const decided = retryPause([...some, ...more], attempt, at);
        expect(decided).toBe(retryPause(first ? [first] : more, attempt, at));
      }),
    );
  });

  it('given any rule, then there are at most `max` further attempts', () => {
    fc.assert(
      fc.property(rule, random, (one, at) => {
        const code = one.code ?? '';
        const outcome = one.outcome === 'any' ? 'failed' : one.outcome;
        for (let attempt = 1; attempt <= one.max; attempt++)
          expect(retryPause([one], { outcome, code, attempt }, at)).toBeDefined();
        expect(retryPause([one], { outcome, code, attempt: one.max + 1 }, at)).toBeUndefined();
      }),
    );
  });

  it('given any rule, then the pause grows by its factor and lies within its jitter, a month at most before it', () => {
    fc.assert(
      fc.property(rule, failed, random, (one, attempt, at) => {
        const pause = retryPause([{ ...one, outcome: 'any', code: undefined! }], attempt, at);
        if (attempt.attempt > one.max) return;
        const { backoff_seconds = 10, factor = 2, jitter = 0 } = one;
        const whole = Math.min(backoff_seconds * factor ** (attempt.attempt - 1), 2_592_000) * 1000;
        expect(pause).toBeGreaterThanOrEqual(Math.floor(whole * (1 - jitter)));
        expect(pause).toBeLessThanOrEqual(Math.ceil(whole * (1 + jitter)));
      }),
    );
  });

  it('given no rule of its class, then it is not tried again', () => {
    const rules: PauseRule[] = [{ outcome: 'failed', code: 'disk_full', max: 3 }];
    expect(retryPause(rules, { outcome: 'failed', code: 'exit_1', attempt: 1 }, 0.5)).toBeUndefined();
    expect(retryPause(rules, { outcome: 'timed_out', code: 'disk_full', attempt: 1 }, 0.5)).toBeUndefined();
    expect(retryPause(rules, { outcome: 'failed', code: 'disk_full', attempt: 2 }, 0.5)).toBe(20_000);
  });

  it('given a rule, then it fits the very outcome that it names, and `any` fits each', () => {
    const fits = (outcome: string, failed: string) =>
      retryPause([{ outcome, max: 1 }], { outcome: failed, code: '', attempt: 1 }, 0.5) !== undefined;
    expect(fits('rejected', 'rejected')).toBe(true);
    expect(fits('rejected', 'Rejected')).toBe(false);
    expect(fits('failed', 'any')).toBe(false);
    expect(['failed', 'timed_out', 'rejected'].every((outcome) => fits('any', outcome))).toBe(true);
  });
});
