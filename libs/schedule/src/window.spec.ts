import type { ScheduleArgs, WindowSchedule } from '@muster/contracts';
import { Temporal } from 'temporal-polyfill';
import { describe, expect, it, vi } from 'vitest';
import { ODD_ZONES, onDevices } from './testing/schedules.js';
import { nextWindow } from './window.js';

const [MONDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY] = [0, 3, 4, 5, 6];

const stamp = (instant: number) => new Date(instant).toISOString().replace(':00.000Z', 'Z');

const opened = (schedule: WindowSchedule, zone: string, from: string) => {
  const window = nextWindow(schedule, zone, Date.parse(from));
  return window && `${stamp(window.opens)} ${stamp(window.closes)}`;
};

const daily = (window_start_time: string, window_end_time: string, ...days: number[]): ScheduleArgs => ({
  window_start_time,
  window_end_time,
  ...(days.length > 0 && { days }),
});

describe('a window on a day on which clocks change', () => {
  it.each<[string, string, ScheduleArgs, string, string]>([
    // 2026-10-25, a Sunday: at 01:00Z 03:00 becomes 02:00.
    [
      'starts in the hour that comes twice',
      'Europe/Berlin',
      daily('02:30', '03:30', SUNDAY),
      '2026-10-24T12:00Z',
      '2026-10-25T00:30Z 2026-10-25T02:30Z',
    ],
    [
      'lies in the hour that comes twice',
      'Europe/Berlin',
      daily('02:15', '02:45'),
      '2026-10-24T12:00Z',
      '2026-10-25T00:15Z 2026-10-25T00:45Z',
    ],
    [
      'lay in the hour that is now there again',
      'Europe/Berlin',
      daily('02:15', '02:45'),
      '2026-10-25T00:45Z',
      '2026-10-26T01:15Z 2026-10-26T01:45Z',
    ],
    [
      'ends in the hour that comes twice',
      'Europe/Berlin',
      daily('01:00', '02:30', SUNDAY),
      '2026-10-24T12:00Z',
      '2026-10-24T23:00Z 2026-10-25T00:30Z',
    ],
    [
      'goes on over the longer night',
      'Europe/Berlin',
      daily('22:00', '06:00', SATURDAY),
      '2026-10-24T12:00Z',
      '2026-10-24T20:00Z 2026-10-25T05:00Z',
    ],
    [
      'is the longer day',
      'Europe/Berlin',
      { days: [SUNDAY] },
      '2026-10-24T12:00Z',
      '2026-10-24T22:00Z 2026-10-25T23:00Z',
    ],
    [
      'starts after the change back',
      'Europe/Berlin',
      daily('04:00', '05:00', SUNDAY),
      '2026-10-24T12:00Z',
      '2026-10-25T03:00Z 2026-10-25T04:00Z',
    ],
    // 2027-03-28, a Sunday: at 01:00Z 02:00 becomes 03:00.
    [
      'lies in the gap',
      'Europe/Berlin',
      daily('02:15', '02:45', SUNDAY),
      '2027-03-27T12:00Z',
      '2027-03-28T01:15Z 2027-03-28T01:45Z',
    ],
    [
      'starts in the gap and ends at its end',
      'Europe/Berlin',
      daily('02:30', '03:00', SUNDAY),
      '2027-03-27T12:00Z',
      '2027-03-28T01:30Z 2027-03-28T02:00Z',
    ],
    [
      'starts in the gap and ends as late behind it',
      'Europe/Berlin',
      daily('02:30', '03:30'),
      '2027-03-27T12:00Z',
      '2027-03-28T01:30Z 2027-03-28T02:30Z',
    ],
    [
      'starts with the gap',
      'Europe/Berlin',
      daily('02:00', '04:00'),
      '2027-03-27T12:00Z',
      '2027-03-28T01:00Z 2027-03-28T03:00Z',
    ],
    [
      'ends in the gap',
      'Europe/Berlin',
      daily('01:00', '02:30', SUNDAY),
      '2027-03-27T12:00Z',
      '2027-03-28T00:00Z 2027-03-28T01:30Z',
    ],
    [
      'reaches over the gap',
      'Europe/Berlin',
      daily('01:00', '03:00', SUNDAY),
      '2027-03-27T12:00Z',
      '2027-03-28T00:00Z 2027-03-28T01:00Z',
    ],
    [
      'goes on over the shorter night',
      'Europe/Berlin',
      daily('22:00', '06:00', SATURDAY),
      '2027-03-27T12:00Z',
      '2027-03-27T21:00Z 2027-03-28T04:00Z',
    ],
    [
      'is the shorter day',
      'Europe/Berlin',
      { days: [SUNDAY] },
      '2027-03-27T12:00Z',
      '2027-03-27T23:00Z 2027-03-28T22:00Z',
    ],
    [
      'would end in the gap, after the next has opened',
      'Europe/Berlin',
      daily('03:00', '02:15'),
      '2027-03-27T12:00Z',
      '2027-03-27T02:00Z 2027-03-28T01:00Z',
    ],
    // 2026-11-01, a Sunday: at 06:00Z 02:00 becomes 01:00.
    [
      'starts in the hour that comes twice',
      'America/New_York',
      daily('01:30', '02:30', SUNDAY),
      '2026-10-31T12:00Z',
      '2026-11-01T05:30Z 2026-11-01T07:30Z',
    ],
    [
      'lies in the hour that comes twice',
      'America/New_York',
      daily('01:15', '01:45', SUNDAY),
      '2026-10-31T12:00Z',
      '2026-11-01T05:15Z 2026-11-01T05:45Z',
    ],
    [
      'goes on over the longer night',
      'America/New_York',
      daily('22:00', '04:00'),
      '2026-10-31T12:00Z',
      '2026-11-01T02:00Z 2026-11-01T09:00Z',
    ],
    [
      'is the longer day',
      'America/New_York',
      { days: [SUNDAY] },
      '2026-10-31T12:00Z',
      '2026-11-01T04:00Z 2026-11-02T05:00Z',
    ],
    // 2027-03-14, a Sunday: at 07:00Z 02:00 becomes 03:00.
    [
      'starts in the gap',
      'America/New_York',
      daily('02:30', '03:00', SUNDAY),
      '2027-03-13T12:00Z',
      '2027-03-14T07:30Z 2027-03-14T08:00Z',
    ],
    [
      'ends in the gap',
      'America/New_York',
      daily('01:30', '02:30', SUNDAY),
      '2027-03-13T12:00Z',
      '2027-03-14T06:30Z 2027-03-14T07:30Z',
    ],
    [
      'goes on over the shorter night',
      'America/New_York',
      daily('22:00', '04:00'),
      '2027-03-13T12:00Z',
      '2027-03-14T03:00Z 2027-03-14T08:00Z',
    ],
    [
      'is the shorter day',
      'America/New_York',
      { days: [SUNDAY] },
      '2027-03-13T12:00Z',
      '2027-03-14T05:00Z 2027-03-15T04:00Z',
    ],
    // Half an hour: at 15:30Z 02:00 becomes 02:30, at 15:00Z 02:00 becomes 01:30.
    [
      'starts in the gap of half an hour',
      'Australia/Lord_Howe',
      daily('02:15', '02:45', SUNDAY),
      '2026-10-03T12:00Z',
      '2026-10-03T15:45Z 2026-10-03T16:15Z',
    ],
    [
      'starts in the half hour that comes twice',
      'Australia/Lord_Howe',
      daily('01:45', '02:15', SUNDAY),
      '2027-04-03T12:00Z',
      '2027-04-03T14:45Z 2027-04-03T15:45Z',
    ],
    // 2026-09-06, a Sunday: midnight becomes 01:00.
    [
      'is a day without its midnight',
      'America/Santiago',
      { days: [SUNDAY] },
      '2026-09-05T12:00Z',
      '2026-09-06T04:00Z 2026-09-07T03:00Z',
    ],
    [
      'starts in the gap at midnight',
      'America/Santiago',
      daily('00:30', '01:30', SUNDAY),
      '2026-09-05T12:00Z',
      '2026-09-06T04:30Z 2026-09-06T05:30Z',
    ],
    // 2027-03-27, a Saturday: 23:00 becomes midnight.
    [
      'is moved into the next day',
      'America/Nuuk',
      daily('23:30', '23:45', SATURDAY),
      '2027-03-27T12:00Z',
      '2027-03-28T01:30Z 2027-03-28T01:45Z',
    ],
    [
      'ends in the gap on the next day',
      'America/Nuuk',
      daily('23:30', '23:15', FRIDAY),
      '2027-03-28T01:10Z',
      '2027-03-27T01:30Z 2027-03-28T01:15Z',
    ],
    // 2011-12-30, a Friday, was left out.
    [
      'is a day that was left out',
      'Pacific/Apia',
      { days: [FRIDAY] },
      '2011-12-29T12:00Z',
      '2012-01-05T10:00Z 2012-01-06T10:00Z',
    ],
    [
      'is, a week on, a day that was left out',
      'Pacific/Apia',
      { days: [FRIDAY] },
      '2011-12-24T12:00Z',
      '2012-01-05T10:00Z 2012-01-06T10:00Z',
    ],
    [
      'would end on a day that was left out',
      'Pacific/Apia',
      daily('22:00', '06:00', THURSDAY),
      '2011-12-29T12:00Z',
      '2011-12-30T08:00Z 2011-12-30T16:00Z',
    ],
  ])('given one that %s in %s, %j from %s, then it is %s', (_, zone, args, from, expected) => {
    expect(opened(onDevices(args), zone, from)).toBe(expected);
  });
});

describe('the next window', () => {
  it.each<[string, ScheduleArgs, string, string | null]>([
    ['no args', {}, '2026-11-21T12:00Z', '2026-11-21T00:00Z 2026-11-22T00:00Z'],
    ['a window that is open', daily('08:00', '18:00'), '2026-11-21T12:00Z', '2026-11-21T08:00Z 2026-11-21T18:00Z'],
    ['a window that opens now', daily('12:00', '18:00'), '2026-11-21T12:00Z', '2026-11-21T12:00Z 2026-11-21T18:00Z'],
    ['a window that closes now', daily('08:00', '12:00'), '2026-11-21T12:00Z', '2026-11-22T08:00Z 2026-11-22T12:00Z'],
    [
      "yesterday's window, still open",
      daily('22:00', '06:00', FRIDAY),
      '2026-11-21T05:59Z',
      '2026-11-20T22:00Z 2026-11-21T06:00Z',
    ],
    [
      'the night to a day that is not its own',
      daily('22:00', '06:00', SATURDAY),
      '2026-11-21T05:59Z',
      '2026-11-21T22:00Z 2026-11-22T06:00Z',
    ],
    ['a day that has just ended', { days: [FRIDAY] }, '2026-11-21T00:00Z', '2026-11-27T00:00Z 2026-11-28T00:00Z'],
    ['only a start time', { window_start_time: '20:00' }, '2026-11-21T12:00Z', '2026-11-21T20:00Z 2026-11-22T00:00Z'],
    ['only an end time', { window_end_time: '04:00' }, '2026-11-21T12:00Z', '2026-11-22T00:00Z 2026-11-22T04:00Z'],
    ['an end at midnight', daily('20:00', '00:00'), '2026-11-21T12:00Z', '2026-11-21T20:00Z 2026-11-22T00:00Z'],
    ['the same times', daily('08:00', '08:00'), '2026-11-21T12:00Z', null],
    ['an end time that is the start of the day', { window_end_time: '00:00' }, '2026-11-21T12:00Z', null],
    [
      'a start to come',
      { start_datetime: '2026-11-25T10:00:00Z' },
      '2026-11-21T12:00Z',
      '2026-11-25T10:00Z 2026-11-26T00:00Z',
    ],
    [
      'an end within the window',
      { end_datetime: '2026-11-21T13:00:00+00:00' },
      '2026-11-21T12:00Z',
      '2026-11-21T00:00Z 2026-11-21T13:00Z',
    ],
    ['an end that has come', { end_datetime: '2026-11-21T12:00:00Z' }, '2026-11-21T12:00Z', null],
    [
      'an end before the next day of its own',
      { days: [MONDAY], end_datetime: '2026-11-23T00:00:00Z' },
      '2026-11-21T12:00Z',
      null,
    ],
    [
      'an end before its start',
      { start_datetime: '2026-11-25T10:00:00Z', end_datetime: '2026-11-24T10:00:00Z' },
      '2026-11-21T12:00Z',
      null,
    ],
  ])('given %s (%j) on Saturday %s, then it is %s', (_, args, from, expected) => {
    expect(opened(onDevices(args), 'UTC', from)).toBe(expected);
  });

  it('given the clock of the console, by default too, then the zone of the device says nothing', () => {
    const args = daily('08:00', '18:00');
    const expected = '2026-11-21T02:15Z 2026-11-21T12:15Z';
    for (const shown of [args, { ...args, time_type: 'console' as const }]) {
      const schedule: WindowSchedule = { schedule: 'WINDOW', args: shown, console_timezone: 'Asia/Kathmandu' };
      expect(opened(schedule, 'Europe/Berlin', '2026-11-21T12:00Z')).toBe(expected);
    }
  });

  it('given the zone of a device that is none, then it is UTC', () => {
    for (const zone of ['Mars/Base', '', '+01:00', '2026-01-01T00:00Z[Europe/Berlin]'])
      expect(opened(onDevices({}), zone, '2026-11-21T12:00Z')).toBe('2026-11-21T00:00Z 2026-11-22T00:00Z');
  });

  it('given any zone that the platform has, then there is one', () => {
    for (const zone of [...Intl.supportedValuesOf('timeZone'), 'US/Pacific', 'EST5EDT', 'Etc/GMT+12', 'utc']) {
      const window = nextWindow(onDevices({}), zone, Date.parse('2026-11-21T12:00Z'))!;
      const midnight = new Intl.DateTimeFormat('en', { timeZone: zone, timeStyle: 'medium', hourCycle: 'h23' });
      expect(midnight.format(window.opens)).toBe('00:00:00');
    }
  });

  it('given 500 devices in ten zones, then the rules of each zone are looked up for a few days, not for each device', () => {
    const lookUp = vi.spyOn(Temporal.PlainDateTime.prototype, 'toZonedDateTime');
    const from = Date.parse('2026-11-21T12:00Z');
    for (let device = 0; device < 500; device++) {
      const schedule = onDevices(daily('03:21:09', '04:32:10', FRIDAY, SATURDAY));
      expect(nextWindow(schedule, ODD_ZONES[device % 10]!, from + device)).not.toBeNull();
    }
    expect(lookUp.mock.calls.length).toBeGreaterThan(0);
    expect(lookUp.mock.calls.length).toBeLessThan(10 * 20);
  });
});
