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
  began_at: new Date(BEGAN),
  recent: 0,
  recent_at: null,
  ...EMPTY_TALLY,
  ...part,
});

const wave = (from: number, to: number, passed_at: number | null) => ({
  ...{ from, to, succeeded: 0, lost: 0, left_out: 0, offline: 0, asked_at: null, approved_at: null },
  ...{ began_at: BEGAN, passed_at },
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

  it('given that it is being paused or stopped, then nothing is said of its end', () => {
    const eta = (wish: Watched['wish']) => {
      const rollout = { wish, succeeded: 1, in_flight: 3, pending: 16, durations: DURATIONS };
      return progressOf(watched(rollout), BEGAN).eta;
    };
    expect(eta('run')).not.toBeNull();
    expect((['pause', 'cancel', 'rollback'] as const).map(eta)).toEqual([null, null, null]);
  });
});
