import type { ScheduleArgs } from '@muster/contracts';
import { describe, expect, it } from 'vitest';
import { firstOpening } from './first-opening.js';

const at = (text: string) => Date.parse(text);
const opening = (args: ScheduleArgs, now: string, console_timezone = 'Europe/Paris') => {
  const first = firstOpening({ schedule: 'WINDOW', args, console_timezone }, at(now));
  return first && new Date(first).toISOString();
};
const night = { window_start_time: '02:00', window_end_time: '04:00', end_datetime: '2026-03-31T00:00:00Z' };

describe('the first moment at which a window of any device may open', () => {
  it('given the clock of the console, then it is the next window there', () => {
    expect(opening(night, '2026-03-10T12:00:00Z')).toBe('2026-03-11T01:00:00.000Z');
  });

  it('given a window that is open, then there is nothing to wait for', () => {
    expect(opening(night, '2026-03-10T01:30:00Z')).toBeNull();
    expect(opening({ ...night, time_type: 'device' }, '2026-03-10T12:00:00Z')).toBeNull();
  });

  it('given the clocks of the devices and a start, then none is open anywhere before that', () => {
    const args = { ...night, time_type: 'device' as const, start_datetime: '2026-03-20T00:00:00Z' };
    expect(opening(args, '2026-03-10T12:00:00Z')).toBe('2026-03-20T00:00:00.000Z');
  });

  it('given the clocks of the devices and a day, then it is when the day comes to the easternmost, and an hour sooner', () => {
    const sundays = { ...night, time_type: 'device' as const, days: [6] };
    // Sunday 2026-03-15, 02:00 at UTC+14.
    expect(opening(sundays, '2026-03-10T12:00:00Z')).toBe('2026-03-14T11:00:00.000Z');
  });
});
