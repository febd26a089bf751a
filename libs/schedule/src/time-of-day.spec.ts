import { TimeOfDay, validate } from '@muster/contracts';
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
    ['22:30Z', at(22, 30)],
    ['2019-08-24T14:15:22Z', at(14, 15, 22)],
    ['2019-08-24T14:15:22+09:30', at(14, 15, 22)],
    ['23:59:59.999', DAY_MS - 1],
  ])('given %s, then it is read as it is written', (text, expected) => {
    expect(validate(TimeOfDay, text)).toEqual([]);
    expect(timeOfDay(text)).toBe(expected);
  });

  it('given any time, with or without a date and an offset, then it is that time', () => {
    const anyDate = fc.constantFrom('', '2019-08-24T');
    const anyOffset = fc.constantFrom('', 'Z', '+05:45', '-12:00');
    const anyTime = fc.integer({ min: 0, max: DAY_MS - 1 });
    fc.assert(
      fc.property(anyDate, anyTime, anyOffset, (date, time, offset) => {
        const text = `${date}${new Date(time).toISOString().slice(11, -1)}${offset}`;
        expect(validate(TimeOfDay, text)).toEqual([]);
        expect(timeOfDay(text)).toBe(time);
      }),
    );
  });
});
