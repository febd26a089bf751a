import type { WindowSchedule } from '@muster/contracts';
import { dailyWindow, type DailyWindow } from './daily-window.js';
import { isSkipped, localTime } from './local-time.js';
import { DAY_MS } from './time-of-day.js';

/** Half-open [opens, closes), epoch milliseconds. */
export interface Window {
  opens: number;
  closes: number;
}

/**
 * Days around the day in UTC at which windows are looked for. Backwards: a zone's date differs by one, a window goes on into the next day, and a
 * change of the clocks can move it there from the day before. Forwards: a week from the zone's date, and one more if that day was left out.
 */
const DAYS_BACK = 3;
const DAYS_AHEAD = 15;

/**
 * The window that is open at `from`, else the next one to open; null when none will any more.
 *
 * Windows are disjoint and in order: the one after `window` is `nextWindow(…, window.closes)`. Where clocks change:
 * - A window that starts at a time that is left out is moved behind the gap, whole: 02:30 to 03:00 is 03:30 to 04:00 on that day.
 * - One that merely ends at such a time ends as much after the gap as the time lies in it, so it is as long as ever.
 * - A time that comes twice is the first of the two, so no window opens twice. One that the change lies within is longer or shorter by it.
 * - A day without window times is from midnight to midnight, be that 23 or 25 hours.
 * - No window goes on when the next day's would open.
 *
 * @param schedule fits the contract
 * @param timezone the device's own zone, which counts when `time_type` is device; a name that is none is read as UTC
 * @param from epoch milliseconds, in years that a timestamp can tell (1 to 9999)
 */
export function nextWindow(schedule: WindowSchedule, timezone: string, from: number): Window | null {
  const { args } = schedule;
  const zone = args.time_type === 'device' ? timezone : schedule.console_timezone;
  const daily = dailyWindow(args);
  if (!daily) return null;
  const start = args.start_datetime === undefined ? -Infinity : Date.parse(args.start_datetime);
  const end = args.end_datetime === undefined ? Infinity : Date.parse(args.end_datetime);
  const earliest = Math.max(from, start);
  if (earliest >= end) return null;
  const today = Math.floor(earliest / DAY_MS);
  for (let day = today - DAYS_BACK; day <= today + DAYS_AHEAD; day++) {
    if (args.days && !args.days.includes(weekday(day))) continue;
    const window = windowOf(daily, zone, day);
    if (!window || window.closes <= earliest) continue;
    const opens = Math.max(window.opens, start);
    return opens < end ? { opens, closes: Math.min(window.closes, end) } : null;
  }
  return null;
}

function windowOf({ start, length }: DailyWindow, zone: string, day: number): Window | null {
  const opening = localTime(zone, day, start ?? 0);
  if (opening.moved && isSkipped(zone, day)) return null;
  const end = (start ?? 0) + length;
  const closes =
    opening.moved && start !== undefined
      ? opening.instant + length
      : localTime(zone, day + Math.floor(end / DAY_MS), end % DAY_MS).instant;
  return { opens: opening.instant, closes: Math.min(closes, localTime(zone, day + 1, start ?? 0).instant) };
}

/** 0 = Monday … 6 = Sunday; 1970-01-01 was a Thursday. */
const weekday = (day: number): number => (((day + 3) % 7) + 7) % 7;
