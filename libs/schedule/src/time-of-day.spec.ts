import { ScheduleArgs, TimeOfDay, validate } from '@muster/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DAY_MS, timeOfDay } from './time-of-day.js';

const at = (hours: number, minutes = 0, seconds = 0, ms = 0) => ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms;

describe('a time of day', () => {
  it.each([
    ['00:00', 0],
    ['22:30', at(22, 30)],
    ['22:30:05', at(22, 30, 5)],
    ['22:30:05.5', at(22, 30, 5, 500)],
    ['22:30:05.123456789', at(22, 30, 5, 123)],
    ['2019-08-24T14:15:22Z', at(14, 15, 22)],
    ['2019-08-24T14:15:22.250Z', at(14, 15, 22, 250)],
    ['23:59:59.999', DAY_MS - 1],
  ])('given %s, then it is read as it is written', (text, expected) => {
    expect(validate(TimeOfDay, text)).toEqual([]);
    expect(timeOfDay(text)).toBe(expected);
  });

  it.each([
    '02:00Z',
    '03:00+05:00',
    '02:00:00-01:00',
    '1999-01-01T02:00',
    '1999-01-01T02:00:00',
    '1999-01-01T02:00Z',
    '2019-08-24T14:15:22+09:30',
    '2031-02-31T03:00:00Z',
    '2031-02-28T24:00:00Z',
    '24:00',
    '7:30',
    '',
  ])(
    'given %s, whose date or offset would say what is not done, or that is no time, then it is said what it must be',
    (text) => {
      const message =
        'must be HH:MM or HH:MM:SS, or YYYY-MM-DDTHH:MM:SSZ, of which the time of day counts as it is written';
      expect(validate(ScheduleArgs, { window_start_time: text })).toEqual([{ field: 'window_start_time', message }]);
    },
  );

  it('given any time, alone or as a whole date-time, then it is that time', () => {
    const anyForm = fc.constantFrom(['', ''], ['2019-08-24T', 'Z']);
    const anyTime = fc.integer({ min: 0, max: DAY_MS - 1 });
    fc.assert(
      fc.property(anyForm, anyTime, ([before, after], time) => {
        const text = `${before}${new Date(time).toISOString().slice(11, -1)}${after}`;
        expect(validate(TimeOfDay, text)).toEqual([]);
        expect(timeOfDay(text)).toBe(time);
      }),
    );
  });
});
