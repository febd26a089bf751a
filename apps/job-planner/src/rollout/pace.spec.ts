import type { Rollout } from '@muster/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lastBegins, ratePerMinute } from './pace.js';
import { SimulatedRollout } from './testing/simulated-rollout.js';

const NOON = Date.parse('2026-11-22T12:00:00Z');

/** How many devices a minute may begin after so many successes. */
const ratesAfter = (spec: Rollout, successes: readonly number[]) =>
  successes.map((succeeded) => ratePerMinute(spec, succeeded));

describe('a ramp', () => {
  const ramp = { base: 120, factor: 2, after_succeeded: 20 };

  it('given devices that succeed, then its rate is so many times as high after each so many of them', () => {
    expect(ratesAfter({ ramp }, [0, 19, 20, 39, 40, 60, 80])).toEqual([120, 120, 240, 240, 480, 960, 1_920]);
    const half = { base: 10, factor: 1.5, after_succeeded: 4 };
    expect(ratesAfter({ ramp: half }, [0, 4, 8, 12])).toEqual([10, 15, 22.5, 33.75]);
  });

  it('given a constant rate beside it, then it never rises above that', () => {
    expect(ratesAfter({ ramp, rate_per_minute: 600 }, [0, 20, 40, 60, 2_000])).toEqual([120, 240, 480, 600, 600]);
  });

  it('given none, then the rate is the constant one, or there is no limit', () => {
    expect(ratesAfter({ rate_per_minute: 600 }, [0, 1_000])).toEqual([600, 600]);
    expect(ratesAfter({}, [0])).toEqual([undefined]);
  });

  it.each([
    ['succeed', 'succeeded', [0, 30, 60, 75, 90, 97.5]],
    ['fail', 'failed', [0, 30, 60, 90, 120, 150]],
  ] as const)('given devices that %s, then the next ones begin in its pace', (_, end, seconds) => {
    const spec = { ramp: { base: 2, factor: 2, after_succeeded: 2 } };
    const conduct = { end, seconds: 1, zone: 'UTC', away: 0 };
    const rollout = new SimulatedRollout(spec, Array(6).fill(conduct), NOON);
    rollout.run();
    expect(rollout.devices.map(({ begun }) => begun.map((time) => (time - NOON) / 1_000))).toEqual(
      seconds.map((second) => [second]),
    );
  });
});

describe('the turn of the last device', () => {
  const anyPace = fc
    .record({
      rate_per_minute: fc.option(fc.integer({ min: 1, max: 1_000 }), { nil: undefined }),
      ramp: fc.option(
        fc.record({
          base: fc.integer({ min: 1, max: 300 }),
          factor: fc.constantFrom(1, 1.5, 10),
          after_succeeded: fc.integer({ min: 1, max: 20 }),
        }),
        { nil: undefined },
      ),
    })
    .map((spec) => JSON.parse(JSON.stringify(spec)) as Rollout);

  it('given any rate, then it is when it comes', () => {
    fc.assert(
      fc.property(
        anyPace,
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 0, max: 60 }),
        (spec, count, seconds) => {
          const conduct = { end: 'succeeded' as const, seconds, zone: 'UTC', away: 0 };
          const rollout = new SimulatedRollout(spec, Array(count).fill(conduct), NOON);
          rollout.run();
          const last = Math.max(...rollout.devices.flatMap(({ begun }) => begun)) - NOON;
          const told = lastBegins(spec, count, { succeeded: 0, each: seconds * 1_000, paidUntil: null });
          // Times since 1970 are rounded, which may move a device to the other side of a step of the ramp.
          const turn = 60_000 / (ratePerMinute(spec, 0) ?? Infinity);
          expect(Math.abs(told - last)).toBeLessThanOrEqual(turn + 10);
        },
      ),
      { numRuns: 80, seed: 1 },
    );
  });

  it('given as many devices as there may be, then it is told at once', () => {
    const ramp = { base: 0.01, factor: 1, after_succeeded: 1 };
    const paced = { succeeded: 0, each: 1_000, paidUntil: null };
    expect(lastBegins({ ramp }, 10_000_000, paced)).toBeGreaterThan(1e13);
    expect(lastBegins({ rate_per_minute: 60 }, 10_000_000, paced)).toBeCloseTo(9_999_999_000);
  });
});
