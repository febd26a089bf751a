import type { ScheduleArgs, WindowSchedule } from '@muster/contracts';
import fc from 'fast-check';

/** Zones with odd rules: changes of half an hour, at midnight, in the south, by the Moon, none. */
export const ODD_ZONES = [
  'Africa/Casablanca',
  'America/New_York',
  'America/Nuuk',
  'America/Santiago',
  'America/St_Johns',
  'Asia/Kathmandu',
  'Asia/Tehran',
  'Atlantic/Azores',
  'Australia/Lord_Howe',
  'Europe/Berlin',
  'Pacific/Apia',
  'Pacific/Chatham',
  'UTC',
];

const pad = (number: number) => String(number).padStart(2, '0');

/** `HH:MM:SS` of a second of the day. */
export const clock = (second: number): string =>
  `${pad(Math.floor(second / 3600))}:${pad(Math.floor(second / 60) % 60)}:${pad(second % 60)}`;

export const anyZone = fc.constantFrom(...ODD_ZONES);

/** Instants of 2026 to 2028, epoch milliseconds. */
export const anyInstant = fc.integer({ min: Date.UTC(2026, 0), max: Date.UTC(2029, 0) });

export const anyDays = fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 7 });

const anyTime = fc.integer({ min: 0, max: 86_399 }).map(clock);
const anyStamp = anyInstant.map((instant) => new Date(instant).toISOString());

/** Args that fit the contract, whether or not they make sense. */
export const anyArgs: fc.Arbitrary<ScheduleArgs> = fc.record(
  {
    start_datetime: anyStamp,
    end_datetime: anyStamp,
    time_type: fc.constantFrom('console', 'device'),
    window_start_time: anyTime,
    window_end_time: anyTime,
    days: anyDays,
  },
  { requiredKeys: [] },
);

/** A schedule on each device's own clock. */
export const onDevices = (args: ScheduleArgs): WindowSchedule => ({
  schedule: 'RECURRING',
  args: { ...args, time_type: 'device' },
  console_timezone: 'UTC',
});
