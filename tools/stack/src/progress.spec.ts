import { describe, expect, it } from 'vitest';
import { progressLine, Rate } from './progress.js';

const progress = (targeted: number, succeeded: number, failed = 0, in_flight = 0) => ({
  targeted,
  pending: targeted - succeeded - failed - in_flight,
  in_flight,
  succeeded,
  failed,
  timed_out: 0,
  rejected: 0,
  unknown: 0,
  offline: 0,
  cancelled: 0,
});

describe('Rate', () => {
  it('given a steady flow, then it is what ends per second', () => {
    const rate = new Rate();

    expect(rate.add(10, progress(100, 0))).toBe(0);
    expect(rate.add(12, progress(100, 30, 10))).toBe(20);
  });

  it('given a flow that stops, then it falls to nothing once the window has passed', () => {
    const rate = new Rate();
    rate.add(0, progress(100, 0));
    rate.add(1, progress(100, 50));

    expect(rate.add(4, progress(100, 50))).toBe(12.5);
    rate.add(8, progress(100, 50));
    expect(rate.add(9, progress(100, 50))).toBe(0);
  });
});

describe('progressLine', () => {
  it('given half of the tasks, then bar, counts, rate and the time that is left', () => {
    expect(progressLine(progress(100, 45, 5, 20), 10)).toBe(
      `${'█'.repeat(10)}${'░'.repeat(10)}  50 %  50/100  10/s  in flight 20  failed 5  ETA 5 s`,
    );
  });

  it('given more than a minute, then minutes', () => {
    expect(progressLine(progress(1000, 0, 0, 10), 10)).toContain('ETA 1 min 40 s');
  });

  it('given no rate yet, then no time is guessed', () => {
    expect(progressLine(progress(10, 0), 0)).toContain('0/10  0/s  in flight 0  failed 0  ETA –');
  });

  it('given all of the tasks, then nothing is left; given none, then no division by zero', () => {
    expect(progressLine(progress(10, 10), 0)).toContain('100 %  10/10  0/s  in flight 0  failed 0  ETA 0 s');
    expect(progressLine(progress(0, 0), 0)).toContain('0 %  0/0');
  });
});
