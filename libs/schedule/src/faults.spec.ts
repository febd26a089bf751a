import type { Schedule, ScheduleArgs } from '@muster/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { scheduleFaults } from './faults.js';
import { anyArgs, anyInstant, anyZone } from './testing/schedules.js';
import { nextWindow } from './window.js';

// A Saturday.
const NOW = Date.parse('2026-11-21T12:00:00Z');
const MONDAY = 0;
const SATURDAY = 5;
const SUNDAY = 6;

const faults = (schedule: Schedule, args: ScheduleArgs | undefined, zone = 'Europe/Berlin') =>
  scheduleFaults(schedule, args, zone, NOW).map(({ field, message }) => `${field}: ${message}`);

describe('a schedule that will open', () => {
  it.each<[Schedule, ScheduleArgs | undefined]>([
    ['IMMEDIATE', undefined],
    ['IMMEDIATE', { end_datetime: '2019-08-24T14:15:22Z', window_start_time: '08:00', window_end_time: '08:00' }],
    ['RECURRING', {}],
    ['RECURRING', { days: [SUNDAY], window_start_time: '22:00', window_end_time: '04:00' }],
    ['WINDOW', { end_datetime: '2026-11-21T12:00:01Z' }],
    ['WINDOW', { start_datetime: '2019-08-24T14:15:22Z', end_datetime: '2026-11-22T12:00:00Z', days: [SUNDAY] }],
    // Sunday begins in Kiritimati at 10:00Z on Saturday, and ends on Baker Island at 12:00Z on Monday.
    ['WINDOW', { end_datetime: '2026-11-21T12:00:01Z', days: [SUNDAY], time_type: 'device' }],
    [
      'WINDOW',
      {
        start_datetime: '2026-11-23T11:59:59Z',
        end_datetime: '2026-11-23T13:00:00Z',
        days: [SUNDAY],
        time_type: 'device',
      },
    ],
    [
      'WINDOW',
      {
        start_datetime: '2026-11-23T12:00:00Z',
        end_datetime: '9999-12-31T23:59:59Z',
        days: [SUNDAY],
        time_type: 'device',
      },
    ],
  ])('given %s %j, then nothing is wrong', (schedule, args) => {
    expect(faults(schedule, args)).toEqual([]);
  });
});

describe('a schedule that will not open', () => {
  it.each<[Schedule, ScheduleArgs | undefined, string[]]>([
    ['WINDOW', undefined, ['schedule_args: is required for WINDOW']],
    ['RECURRING', undefined, ['schedule_args: is required for RECURRING']],
    ['WINDOW', { days: [SUNDAY] }, ['schedule_args.end_datetime: is required for WINDOW']],
    ['RECURRING', { end_datetime: '2026-11-21T12:00:00Z' }, ['schedule_args.end_datetime: is in the past']],
    [
      'RECURRING',
      { start_datetime: '2026-11-22T12:00:00Z', end_datetime: '2026-11-22T13:00:00+01:00' },
      ['schedule_args.end_datetime: must be after start_datetime'],
    ],
    [
      'WINDOW',
      { window_start_time: '08:00', window_end_time: '2019-08-24T08:00:00Z' },
      [
        'schedule_args.end_datetime: is required for WINDOW',
        'schedule_args.window_end_time: is when the window starts, so it would never be open',
      ],
    ],
    [
      'RECURRING',
      { window_end_time: '00:00' },
      ['schedule_args.window_end_time: is when the window starts, so it would never be open'],
    ],
    [
      'WINDOW',
      { end_datetime: '2026-11-22T23:00:00Z', days: [MONDAY] },
      ['schedule_args.days: no window on these days between now and end_datetime in Europe/Berlin'],
    ],
    [
      'WINDOW',
      { start_datetime: '2026-11-22T23:00:00Z', end_datetime: '2026-11-24T23:00:00Z', days: [SUNDAY] },
      ['schedule_args.days: no window on these days between start_datetime and end_datetime in Europe/Berlin'],
    ],
    [
      'RECURRING',
      { end_datetime: '2026-11-21T18:00:00Z', window_start_time: '20:00', window_end_time: '06:00', days: [SATURDAY] },
      ['schedule_args.window_start_time: no window between now and end_datetime in Europe/Berlin'],
    ],
    [
      'RECURRING',
      { end_datetime: '2026-11-21T18:00:00Z', window_end_time: '06:00' },
      ['schedule_args.window_end_time: no window between now and end_datetime in Europe/Berlin'],
    ],
    [
      'WINDOW',
      {
        start_datetime: '2026-11-23T12:00:00Z',
        end_datetime: '2026-11-28T10:00:00Z',
        days: [SUNDAY],
        time_type: 'device',
      },
      ['schedule_args.days: no window on these days between start_datetime and end_datetime in any time zone'],
    ],
  ])('given %s %j, then it is said why', (schedule, args, expected) => {
    expect(faults(schedule, args)).toEqual(expected);
  });

  it('given a console in no time zone, then that is said, unless its clock does not count', () => {
    expect(faults('RECURRING', {}, 'Mars/Base')).toEqual(['console_timezone: is not an IANA time zone']);
    expect(faults('RECURRING', { time_type: 'device' }, 'Mars/Base')).toEqual([]);
  });

  it('given where the schedule stands, then each field says it', () => {
    expect(scheduleFaults('WINDOW', {}, 'UTC', NOW, 'items.3.')).toEqual([
      { field: 'items.3.schedule_args.end_datetime', message: 'is required for WINDOW' },
    ]);
    expect(scheduleFaults('WINDOW', undefined, 'UTC', NOW, 'items.3.')).toEqual([
      { field: 'items.3.schedule_args', message: 'is required for WINDOW' },
    ]);
  });
});

describe('the faults of any schedule', () => {
  it('given the clock of the console, then there are none exactly when a window will open', () => {
    fc.assert(
      fc.property(anyArgs, anyZone, anyInstant, (some, zone, now) => {
        const args: ScheduleArgs = { ...some, time_type: 'console' };
        const window = nextWindow({ schedule: 'RECURRING', args, console_timezone: zone }, zone, now);
        expect(scheduleFaults('RECURRING', args, zone, now).length === 0).toBe(window !== null);
      }),
      { numRuns: 500 },
    );
  });

  it('given the clocks of devices, then there are none when a window will open in one of their zones', () => {
    const briefly = fc.record({
      args: anyArgs,
      now: anyInstant,
      zone: anyZone,
      hours: fc.integer({ min: 1, max: 72 }),
    });
    fc.assert(
      fc.property(briefly, ({ args: some, now, zone, hours }) => {
        const end = new Date(now + hours * 3_600_000).toISOString();
        const args: ScheduleArgs = { ...some, start_datetime: undefined, end_datetime: end, time_type: 'device' };
        const window = nextWindow({ schedule: 'WINDOW', args, console_timezone: 'UTC' }, zone, now);
        if (window) expect(scheduleFaults('WINDOW', args, 'UTC', now)).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});
