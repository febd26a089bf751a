import { Progress } from '@muster/contracts';
import { validate } from '@muster/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { progressOf, recentWith, type Watched } from './progress.js';
import { EMPTY_TALLY } from './tally.js';

const BEGAN = Date.parse('2026-11-22T10:00:00Z');
const SECOND = 1_000;

const watched = (part: Partial<Watched>): Watched => ({
  id: '01890000-0000-7000-8000-000000000001',
  spec: {},
  wish: 'run',
  at_rest: false,
  waits_for: 'in_flight',
  waves: [],
  wave: 0,
  durations: {},
  held_at: null,
  recent: 0,
  recent_at: null,
  ...EMPTY_TALLY,
  ...part,
});

const wave = (from: number, to: number, passed_at: number | null, began_at: number | null = BEGAN) => ({
  ...{ from, to, succeeded: 0, lost: 0, left_out: 0, offline: 0, asked_at: null, approved_at: null },
  ...{ began_at, passed_at },
});

/** As after a device that took about two seconds. */
const DURATIONS = { 2: 5 };

describe('the estimate of the end', () => {
  it('given any rollout at any time after its last end, then the progress fits its schema', () => {
    const count = fc.nat({ max: 1_000_000 });
    fc.assert(
      fc.property(
        fc.record({ pending: count, offline: count, in_flight: count, succeeded: count, failed: count }),
        fc.record({
          rate_per_minute: fc.constantFrom(undefined, 0.001, 10),
          max_in_flight: fc.constantFrom(undefined, 1),
        }),
        fc.double({ min: 0, max: 1_000, noNaN: true }),
        fc.double({ min: 0, max: 1e9, noNaN: true }),
        (tally, { rate_per_minute, max_in_flight }, recent, seconds) => {
          const spec = {
            ...(rate_per_minute !== undefined && { rate_per_minute }),
            ...(max_in_flight !== undefined && { max_in_flight }),
          };
          const rollout = watched({ ...tally, spec, recent, recent_at: new Date(BEGAN), durations: DURATIONS });
          expect(validate(Progress, progressOf(rollout, BEGAN + seconds * SECOND))).toEqual([]);
        },
      ),
    );
  });

  it('given a soak that goes on, then its end comes no later because time passes', () => {
    const spec = { waves: [{ count: 1, soak_seconds: 900 }, {}] };
    const waves = [wave(0, 1, BEGAN), wave(1, 20, null)];
    const etaAfter = (seconds: number) => {
      const now = BEGAN + seconds * SECOND;
      const recent = recentWith({ recent: 1, recent_at: new Date(BEGAN) }, 0, now);
      const rollout = { spec, waves, waits_for: 'soak' as const, succeeded: 1, pending: 19, durations: DURATIONS };
      return progressOf(watched({ ...rollout, recent, recent_at: new Date(now) }), now).eta!;
    };
    const at = (text: string) => Date.parse(text);
    for (const seconds of [30, 120, 400, 899]) {
      const { earliest, latest } = etaAfter(seconds);
      expect(at(earliest)).toBeGreaterThanOrEqual(BEGAN + 900 * SECOND);
      expect(at(latest)).toBeLessThan(BEGAN + 960 * SECOND);
    }
  });

  const day = 86_400 * SECOND;
  const etaOf = (part: Partial<Watched>, now = BEGAN) =>
    progressOf(watched({ succeeded: 5, pending: 10, durations: DURATIONS, ...part }), now).eta;
  /** Waves of so many devices, the first of which goes on. */
  const waves = (...sizes: number[]) => {
    let next = 0;
    return sizes.map((size, index) => wave(next, (next += size), null, index === 0 ? BEGAN : null));
  };
  const asking = (approval: boolean) => ({ waves: [{ count: 5 }, { count: 5 }, { approval }] });

  it('given an approval that is yet to come, then nobody knows; given none, or one of a wave without devices, then the end is told', () => {
    expect(etaOf({ spec: asking(true), waves: waves(5, 5, 5) })).toBeNull();
    expect(etaOf({ spec: asking(false), waves: waves(5, 5, 5) })).not.toBeNull();
    expect(etaOf({ spec: asking(true), waves: waves(10, 5, 0) })).not.toBeNull();
  });

  it('given an approval of the present wave, then nobody knows before the wave has begun, be it asked for or not', () => {
    const present = (state: Partial<Watched['waves'][number]>, waits_for: Watched['waits_for']) => {
      const [first, second, third] = waves(5, 5, 5);
      return etaOf({ spec: asking(true), wave: 2, waits_for, waves: [first!, second!, { ...third!, ...state }] });
    };
    expect(present({}, 'soak')).toBeNull();
    expect(present({ asked_at: BEGAN }, 'approval')).toBeNull();
    expect(present({ asked_at: BEGAN, approved_at: BEGAN, began_at: BEGAN }, 'in_flight')).not.toBeNull();
  });

  it('given what depends on the calendar, then nobody knows: a window, open or closed, or devices that may yet join', () => {
    const window = { start: '01:00', end: '05:00' };
    expect(etaOf({ spec: { window }, waits_for: 'window' })).toBeNull();
    expect(etaOf({ spec: { window }, waits_for: 'in_flight' })).toBeNull();
    expect(etaOf({ spec: { membership: 'continuous', end_at: '2026-11-23T10:00:00Z' } })).toBeNull();
    expect(etaOf({ spec: { membership: 'snapshot', end_at: '2026-11-23T10:00:00Z' } })).not.toBeNull();
  });

  it('given no success so far, a pause, or the end, then there is none', () => {
    expect(etaOf({ durations: {}, succeeded: 0 })).toBeNull();
    expect(etaOf({ at_rest: true })).toBeNull();
    expect(etaOf({ pending: 0 })).toBeNull();
    expect(etaOf({})).not.toBeNull();
  });

  it('given devices that are away, then it may last until the time of the last of them to be found so is over', () => {
    const latest = (part: Partial<Watched>, now = BEGAN) => Date.parse(etaOf(part, now)!.latest) - BEGAN;
    const away = { offline: 1, pending: 0, held_at: new Date(BEGAN + 8 * day) };
    expect(latest(away, BEGAN + 9 * day)).toBe(15 * day);
    const soon = { spec: { timeout: { offline_seconds: 3_600 } } };
    expect(latest({ ...away, ...soon }, BEGAN + 8 * day)).toBe(8 * day + 3_600 * SECOND);
    // What is left to do takes longer than that.
    expect(
      latest({ ...away, ...soon, pending: 100, spec: { ...soon.spec, rate_per_minute: 1 } }, BEGAN + 8 * day),
    ).toBe(8 * day + 6_000 * SECOND);
    expect(latest({ ...away, offline: 0, in_flight: 1 })).toBeLessThan(60 * SECOND);
  });

  it('given that it is being paused or stopped, then nothing is said of its end', () => {
    const eta = (wish: Watched['wish']) => {
      const rollout = { wish, succeeded: 1, in_flight: 3, pending: 16, durations: DURATIONS };
      return progressOf(watched(rollout), BEGAN).eta;
    };
    expect(eta('run')).not.toBeNull();
    expect((['pause', 'cancel', 'rollback'] as const).map(eta)).toEqual([null, null, null]);
  });
});

describe('the rate of a rollout', () => {
  const rateAfter = (seconds: number, part: Partial<Watched> = {}) =>
    progressOf(watched({ recent: 90, recent_at: new Date(BEGAN), ...part }), BEGAN + seconds * SECOND).rate_per_second;

  it('given that no further device ends, then after each ten seconds about a third of it is left', () => {
    expect([0, 10, 20, 30].map((seconds) => rateAfter(seconds))).toEqual([9, 3.3, 1.2, 0.4]);
  });

  it('given devices that end at a steady pace, then it is that pace', () => {
    let recent = 0;
    for (let second = 1; second <= 60; second++)
      recent = recentWith({ recent, recent_at: new Date(BEGAN + (second - 1) * SECOND) }, 4, BEGAN + second * SECOND);
    expect(rateAfter(60, { recent, recent_at: new Date(BEGAN + 60 * SECOND) })).toBeCloseTo(4, 0);
  });

  it('given a rollout at rest, then it is none', () => {
    expect(rateAfter(0, { at_rest: true })).toBe(0);
  });
});
