import type { Rollout } from '@muster/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { timesOf, type DeviceTime } from './device.times.js';
import { withDurations } from './durations.js';
import { durationOf, type Duration, type Limits } from './rollout.duration.js';
import { SimulatedRollout } from './testing/simulated-rollout.js';
import { placesOf } from './wave.gate.js';

const NOON = Date.parse('2026-11-22T12:00:00Z');

interface Device {
  seconds: number;
  away: number;
}

/** How long a rollout over these devices takes. */
function taken(spec: Rollout, devices: readonly Device[]): number {
  const conducts = devices.map((device) => ({ ...device, end: 'succeeded' as const, zone: 'UTC' }));
  const rollout = new SimulatedRollout(spec, conducts, NOON);
  rollout.run();
  expect(rollout.ended).toBe(true);
  return (rollout.now - NOON) / 1000;
}

/** What is told of it, when of every so many-th device it is known what it took. */
function told(spec: Rollout, devices: readonly Device[], every = 1): Duration {
  const known = devices.map(({ seconds, away }, place) => ({
    place,
    online: away === 0,
    took: { least: seconds, most: seconds },
  }));
  const sample = known.filter(({ place }) => place % every === 0);
  const timed = (some: typeof known): readonly DeviceTime[] => timesOf(some, {})!;
  const outlooks = placesOf(spec.waves ?? [{}], new Map(), 0, devices.length).map(({ from, to }) => {
    const all = known.filter(({ place }) => place >= from && place < to);
    const own = sample.filter(({ place }) => place >= from && place < to);
    return {
      size: to - from,
      offline: all.filter(({ online }) => !online).length,
      times: timed(every === 1 || own.length >= 30 ? own : sample),
    };
  });
  return durationOf(spec, outlooks);
}

const anySeconds = fc.constantFrom<(chance: number) => number>(
  (chance) => 0.1 + chance,
  (chance) => 15 + 5 * chance,
  (chance) => -10 * Math.log(1 - chance * 0.999),
  (chance) => (chance < 0.95 ? 1 : 600),
  (chance) => Math.exp(6 * chance),
);
const anySpec = fc
  .record({
    max_in_flight: fc.integer({ min: 1, max: 80 }),
    rate_per_minute: fc.option(fc.integer({ min: 1, max: 3_000 }), { nil: undefined }),
    ramp: fc.option(
      fc.record({
        base: fc.integer({ min: 1, max: 200 }),
        factor: fc.constantFrom(1, 1.2, 2, 10),
        after_succeeded: fc.integer({ min: 1, max: 20 }),
      }),
      { nil: undefined },
    ),
    waves: fc.option(
      fc
        .array(
          fc.record({
            count: fc.integer({ min: 1, max: 50 }),
            success_threshold: fc.option(fc.integer({ min: 1, max: 100 }), { nil: undefined }),
            soak_seconds: fc.constantFrom(0, 0, 30),
          }),
          { maxLength: 3 },
        )
        .map((waves) => [...waves, {}]),
      { nil: undefined },
    ),
    catch_up: fc.boolean(),
  })
  .map((spec) => ({ ...(JSON.parse(JSON.stringify(spec)) as Rollout), timeout: { offline_seconds: 900 } }));
const anyDevices = (most: number, share: number): fc.Arbitrary<Device[]> =>
  anySeconds.chain((secondsOf) =>
    fc.array(
      fc
        .record({
          chance: fc.double({ min: 0, max: 1, noNaN: true }),
          away: fc.double({ min: 0, max: 1, noNaN: true }),
        })
        .map(({ chance, away }) => ({ seconds: secondsOf(chance), away: away < share ? 1 + (away / share) * 890 : 0 })),
      { minLength: 1, maxLength: most, size: 'max' },
    ),
  );

/** Of how many of some draws it holds. */
function shareOf<T>(draws: fc.Arbitrary<T>, numRuns: number, holds: (draw: T) => boolean): number {
  const all = fc.sample(draws, { numRuns, seed: 1 });
  return all.filter(holds).length / all.length;
}

/** What is told is rounded in another way than what is simulated, in milliseconds since 1970. */
const ROUNDED = 0.01;

const isIn = ({ least_seconds, most_seconds }: Duration, seconds: number): boolean =>
  least_seconds <= seconds + ROUNDED && seconds <= most_seconds + ROUNDED;

describe('the duration of a rollout whose devices take as long as before', () => {
  it.each([
    ['are there', 0],
    ['are away at first', 0.2],
  ])('given any rollout over devices that %s, then it is within what is told', (_, share) => {
    const within = shareOf(fc.tuple(anySpec, anyDevices(80, share)), 200, ([spec, devices]) =>
      isIn(told(spec, devices), taken(spec, devices)),
    );
    expect(within).toBeGreaterThanOrEqual(0.99);
  });

  it('given that it is known of few what they took, then it mostly is', () => {
    const within = shareOf(fc.tuple(anySpec, anyDevices(300, 0)), 60, ([spec, devices]) =>
      isIn(told(spec, devices, 4), taken(spec, devices)),
    );
    expect(within).toBeGreaterThanOrEqual(0.9);
  });

  it('given that they are new, and take as long as others did, then it mostly is', () => {
    const draws = fc.tuple(anySpec, anyDevices(120, 0));
    const within = shareOf(draws, 200, ([spec, devices]) => {
      const durations = withDurations(
        {},
        devices.map(({ seconds }) => seconds),
      );
      const news = devices.map(() => ({ took: undefined }));
      const outlooks = placesOf(spec.waves ?? [{}], new Map(), 0, devices.length).map(({ from, to }) => ({
        size: to - from,
        offline: 0,
        times: timesOf(news.slice(from, to), durations)!,
      }));
      return isIn(durationOf(spec, outlooks), taken(spec, devices));
    });
    expect(within).toBeGreaterThanOrEqual(0.9);
  });

  it('given slots alone, then the range is no wider than the order of the devices makes it', () => {
    const draws = fc.tuple(fc.record({ max_in_flight: fc.integer({ min: 1, max: 80 }) }), anyDevices(120, 0));
    const narrow = shareOf(draws, 200, ([spec, devices]) => {
      const { least_seconds, most_seconds } = told(spec, devices);
      return most_seconds - 0.2 * (devices.length + 1) - 0.4 <= 3.2 * least_seconds;
    });
    expect(narrow).toBe(1);
  });

  const alike = (count: number, seconds: number): Device[] =>
    Array.from({ length: count }, () => ({ seconds, away: 0 }));

  it('given more devices than slots, then each slot has several of them', () => {
    const devices = Array.from({ length: 12 }, (_, place) => ({ seconds: 15 + (place % 6), away: 0 }));
    const { least_seconds, most_seconds } = told({ max_in_flight: 3 }, devices);
    expect(least_seconds).toBeCloseTo(210 / 3 / 1.25, 0);
    expect(most_seconds).toBeLessThan(110);
  });

  it('given a rate, then the last device takes its own time after its turn', () => {
    const { least_seconds, most_seconds } = told({ rate_per_minute: 300 }, alike(200, 5));
    expect(least_seconds).toBeCloseTo(195 / 5 + 4);
    expect(most_seconds).toBeCloseTo(199 / 5 + 6.45, 0);
  });

  it('given a ramp, then it takes less than at its first rate', () => {
    const spec = { ramp: { base: 120, factor: 2, after_succeeded: 10 } };
    const { most_seconds } = told(spec, alike(200, 2));
    expect(taken(spec, alike(200, 2))).toBeLessThan(30);
    expect(most_seconds).toBeLessThan(40);
  });

  it('given devices that are skipped, then they take their turn by the rate and no time of their own', () => {
    const wave = { size: 100, offline: 90, times: Array<DeviceTime>(10).fill({ least: 8, most: 10 }) };
    const spec: Rollout = { offline: 'skip', max_in_flight: 1 };
    expect(durationOf(spec, [wave])).toEqual({ least_seconds: 80, most_seconds: 100 });
    const { least_seconds } = durationOf({ ...spec, rate_per_minute: 6 }, [wave]);
    expect(least_seconds).toBeGreaterThanOrEqual(990);
  });

  it('given devices that are away, then they may come back at once or never', () => {
    const wave = { size: 4, offline: 1, times: Array<DeviceTime>(4).fill({ least: 8, most: 10 }) };
    const duration = durationOf({ timeout: { offline_seconds: 600 } }, [wave]);
    expect(duration).toEqual({ least_seconds: 8, most_seconds: 620 });
  });

  it('given a time-out that is shorter than what devices took, then they may end by that', () => {
    const wave = { size: 4, offline: 0, times: Array<DeviceTime>(4).fill({ least: 80, most: 100 }) };
    expect(durationOf({ timeout: { in_progress_seconds: 10 } }, [wave]).least_seconds).toBe(10);
  });

  it.each<[string, Rollout, Limits, Duration]>([
    ['an end', {}, { noneBegins: 50 }, { least_seconds: 50, most_seconds: 60 }],
    ['an end of all', {}, { allEnd: 6 }, { least_seconds: 6, most_seconds: 6 }],
    ['both', {}, { noneBegins: 50, allEnd: 55 }, { least_seconds: 50, most_seconds: 55 }],
    ['an end that it does not reach', {}, { noneBegins: 5_000 }, { least_seconds: 80, most_seconds: 710 }],
    [
      'an end until which devices may join',
      { membership: 'continuous' },
      { noneBegins: 5_000 },
      { least_seconds: 5_000, most_seconds: 5_010 },
    ],
  ])('given %s, then it takes no longer', (_, spec, limits, duration) => {
    const wave = { size: 11, offline: 1, times: Array<DeviceTime>(11).fill({ least: 8, most: 10 }) };
    const offline = { max_in_flight: 1, timeout: { offline_seconds: 590 } };
    expect(durationOf({ ...offline, ...spec }, [wave], limits)).toEqual(duration);
  });
});
