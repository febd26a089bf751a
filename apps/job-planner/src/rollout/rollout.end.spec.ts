import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextStep } from './rollout.decide.js';
import { ended } from './tally.js';
import { anyConduct, anySpec, devices, NOON, rolled } from './testing/any-rollout.js';
import { SimulatedRollout } from './testing/simulated-rollout.js';

describe('an end', () => {
  it('given end_at, then what has not begun by then never does', () => {
    const rollout = rolled(
      { max_in_flight: 1, end_at: '2026-11-22T12:00:10Z' },
      devices(20, () => ({ seconds: 3 })),
    );
    expect(rollout.ended).toBe(true);
    expect(rollout.tally).toMatchObject({ succeeded: 4, never_contacted: 16 });
  });

  it('given end_at, then whatever paused it, and whoever does not decide, it ends, and nothing begins after', () => {
    const end_at = '2026-11-22T18:00:00Z';
    const ends = Date.parse(end_at);
    fc.assert(
      fc.property(
        anySpec,
        fc.array(anyConduct, { maxLength: 40 }),
        fc.boolean(),
        fc.option(fc.integer({ min: 0, max: 30_000 }), { nil: undefined }),
        ({ start_at: _start, ...given }, conducts, approves, pausedAfter) => {
          const abort = (given.abort ?? []).filter(({ action }) => action === 'pause');
          const rollout = new SimulatedRollout({ ...given, abort, end_at }, conducts, NOON, () => approves);
          if (pausedAfter !== undefined) {
            rollout.run(NOON + pausedAfter * 1000);
            if (!rollout.ended) rollout.wish = 'pause';
          }
          rollout.run();
          expect(rollout.ended).toBe(true);
          expect(ended(rollout.tally)).toBe(conducts.length);
          for (const device of rollout.devices) for (const time of device.begun) expect(time).toBeLessThan(ends);
          expect(rollout.now).toBeLessThanOrEqual(ends + 600_000);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('given a pause, then what it rests until is its end', () => {
    const end_at = '2026-11-22T12:01:00Z';
    const rollout = new SimulatedRollout({ max_in_flight: 1, end_at }, devices(5), NOON);
    rollout.run(NOON + 1_000);
    rollout.wish = 'pause';
    rollout.run(NOON + 30_000);
    expect(rollout.facts.at_rest).toBe(true);
    expect(nextStep(rollout.facts)).toMatchObject({ do: 'wait', for: 'approval', until: Date.parse(end_at) });
    rollout.run();
    expect(rollout.ended).toBe(true);
    expect(rollout.tally).toMatchObject({ succeeded: 2, never_contacted: 3 });
  });

  it('given devices that are under way when end_at comes in a pause, then what has not begun ends at once, and they by themselves', () => {
    const rollout = new SimulatedRollout(
      { max_in_flight: 1, end_at: '2026-11-22T12:00:10Z' },
      devices(3, () => ({ seconds: 60 })),
      NOON,
    );
    rollout.run(NOON + 1_000);
    rollout.wish = 'pause';
    rollout.run(NOON + 20_000);
    expect(rollout.tally).toMatchObject({ in_flight: 1, never_contacted: 2 });
    rollout.run();
    expect(rollout.ended).toBe(true);
    expect(rollout.tally).toMatchObject({ succeeded: 1, never_contacted: 2 });
  });

  it('given a rule that would pause before one that cancels, then after end_at the one that cancels applies', () => {
    const abort = [
      { percent: 5, action: 'pause' as const },
      { percent: 30, action: 'cancel' as const },
    ];
    const failing = devices(10, () => ({ end: 'failed' as const, seconds: 60 }));
    const rollout = rolled({ end_at: '2026-11-22T12:00:10Z', abort }, failing);
    expect(rollout.facts.wish).toBe('cancel');
    expect(rolled({ end_at: '2026-11-22T12:00:10Z', abort: abort.slice(0, 1) }, failing).ended).toBe(true);
  });

  it('given start_at, then nothing begins before', () => {
    const rollout = rolled({ start_at: '2026-11-22T18:00:00Z' }, devices(3));
    expect(rollout.devices.map((device) => device.begun)).toEqual(Array(3).fill([Date.parse('2026-11-22T18:00:00Z')]));
  });
});
