import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judgeDrift, type LastConverge, type Source, type Tries } from './reconverge.decide.js';

const NOW = Date.parse('2026-03-01T12:00:00Z');
const NEVER: Tries = { source_id: null, attempts: 0, window_start: null, repeating: false, withdrawn: null };
const source = (max: number, window_seconds = 3_600): Source => ({
  id: 'source',
  cancelled: false,
  rule: { max, window_seconds },
  over: false,
});
const last = (state: LastConverge['state'], source_id: string | null = null): LastConverge => ({
  operation_id: source_id ? 'again' : 'source',
  source_id,
  state,
});
const triedAt = (attempts: number, secondsAgo: number, source_id = 'source'): Tries => ({
  source_id,
  attempts,
  window_start: new Date(NOW - secondsAgo * 1000),
  repeating: false,
  withdrawn: null,
});

describe('judgeDrift', () => {
  it('given a device that an operation with the rule converged, then it is converged again', () => {
    const first = { do: 'converge', attempts: 1, window_start: new Date(NOW) };
    expect(judgeDrift(NEVER, last('SUCCESS'), source(1), NOW)).toEqual(first);
    expect(judgeDrift(triedAt(2, 60, 'another'), last('SUCCESS'), source(2), NOW)).toEqual(first);
  });

  it('given as many tries as it may have, then it is left alone until its window is over', () => {
    expect(judgeDrift(triedAt(2, 3_599), last('SUCCESS', 'source'), source(2), NOW)).toEqual({
      do: 'leave',
      reason: 'left alone: converged again 2 times in 3600 s for operation source',
    });
    expect(judgeDrift(triedAt(2, 3_600), last('SUCCESS', 'source'), source(2), NOW)).toMatchObject({ attempts: 1 });
  });

  it('given a repetition that has not come to the device yet, then it is waited for', () => {
    expect(judgeDrift({ ...triedAt(1, 60), repeating: true }, last('SUCCESS'), source(2), NOW).do).toBe('wait');
  });

  it.each([
    ['before it came to the device', { ...triedAt(1, 60), withdrawn: 'again' }, last('SUCCESS')],
    ['there', triedAt(1, 60), last('CANCELLED', 'source')],
  ] as const)('given a repetition that was cancelled %s, then it is left alone', (_, tries, converge) => {
    expect(judgeDrift(tries, converge, source(2), NOW)).toEqual({
      do: 'leave',
      reason: 'left alone: operation again, which was to converge it again, was cancelled',
    });
  });

  it('given that no window is to come, then it is left alone', () => {
    expect(judgeDrift(triedAt(1, 60), last('SUCCESS'), { ...source(2), over: true }, NOW)).toEqual({
      do: 'leave',
      reason: 'left alone: the schedule of operation source is over',
    });
  });

  it('given no word on the window, then it is a day', () => {
    const { window_start } = triedAt(1, 86_399);
    const ofADay: Source = { id: 'source', cancelled: false, rule: { max: 1 }, over: false };
    const tries = { ...NEVER, source_id: 'source', attempts: 1, window_start };
    expect(judgeDrift(tries, last('SUCCESS'), ofADay, NOW).do).toBe('leave');
    expect(judgeDrift(tries, last('SUCCESS'), ofADay, NOW + 1_000).do).toBe('converge');
  });

  it.each([
    ['nothing ever converged it', undefined, source(3), 'nothing'],
    ['its last CONVERGE has no rule', last('SUCCESS'), { ...source(3), rule: null }, 'nothing'],
    ['the operation was cancelled', last('SUCCESS'), { ...source(3), cancelled: true }, 'nothing'],
    ['the operation itself failed on it', last('FAILURE'), source(3), 'nothing'],
    ['the operation itself was cancelled on it', last('CANCELLED'), source(3), 'nothing'],
    ['the repetition failed', last('FAILURE', 'source'), source(3), 'converge'],
    ['the repetition was never taken', last('TIMEOUT', 'source'), source(3), 'converge'],
    ['a CONVERGE is under way', last('PROCESSING'), source(3), 'wait'],
    ['its proof is awaited', last('COMPLETED', 'source'), source(3), 'wait'],
  ] as const)('given that %s, then the verdict follows', (_, converge, of, verdict) => {
    expect(judgeDrift(NEVER, converge, of, NOW).do).toBe(verdict);
  });

  it('given a device that drifts at any times, then never more than `max` times in a window of the count', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10 }),
        fc.integer({ min: 1, max: 100 }),
        fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 60 }),
        (max, window, pauses) => {
          let now = NOW;
          let tries = NEVER;
          const done = new Map<number, number>();
          for (const pause of pauses) {
            now += pause * 1_000;
            const verdict = judgeDrift(tries, last('SUCCESS', 'source'), source(max, window), now);
            if (verdict.do === 'leave') expect(done.get(tries.window_start!.getTime())).toBe(max);
            if (verdict.do !== 'converge') continue;
            tries = { ...NEVER, source_id: 'source', attempts: verdict.attempts, window_start: verdict.window_start };
            const begun = verdict.window_start.getTime();
            expect(now).toBeLessThan(begun + window * 1_000);
            done.set(begun, (done.get(begun) ?? 0) + 1);
          }
          for (const times of done.values()) expect(times).toBeLessThanOrEqual(max);
        },
      ),
    );
  });
});
