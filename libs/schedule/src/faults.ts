import { isTimeZone, type FieldError, type Schedule, type ScheduleArgs } from '@muster/contracts';
import { dailyWindow } from './daily-window.js';
import { nextWindow } from './window.js';

const HOUR_MS = 60 * 60_000;
/** Local times are at most this far before and after UTC, anywhere: UTC-12 to UTC+14. */
const FARTHEST_BEHIND_MS = 12 * HOUR_MS;
const FARTHEST_AHEAD_MS = 14 * HOUR_MS;

/**
 * What is wrong with a schedule beyond its schema, each with its field; empty when a window of it will open. The args of IMMEDIATE say
 * nothing, so nothing is wrong with them. With `time_type: device` only what opens in no zone at all is a fault: which zones the devices are
 * in is not known beforehand.
 * @param args fit the contract
 * @param consoleTimezone the zone of whoever makes the schedule
 * @param now epoch milliseconds
 * @param at leads each field, e.g. `items.3.`
 */
export function scheduleFaults(
  schedule: Schedule,
  args: ScheduleArgs | undefined,
  consoleTimezone: string,
  now: number,
  at = '',
): FieldError[] {
  if (schedule === 'IMMEDIATE') return [];
  if (!args) return [{ field: `${at}schedule_args`, message: `is required for ${schedule}` }];
  const faults: FieldError[] = [];
  const blame = (field: keyof ScheduleArgs, message: string) =>
    faults.push({ field: `${at}schedule_args.${field}`, message });

  const rangeFault = faultOfRange(schedule, args, now);
  if (rangeFault) blame('end_datetime', rangeFault);
  if (!dailyWindow(args)) blame('window_end_time', 'is when the window starts, so it would never be open');
  const readsConsole = args.time_type !== 'device';
  if (readsConsole && !isTimeZone(consoleTimezone))
    faults.push({ field: `${at}console_timezone`, message: 'is not an IANA time zone' });
  if (faults.length > 0) return faults;

  const opens = (some: ScheduleArgs) =>
    readsConsole ? opensInZone(some, consoleTimezone, now) : opensSomewhere(some, now);
  if (opens(args)) return [];
  const where = readsConsole ? ` in ${consoleTimezone}` : ' in any time zone';
  const range = `between ${isAhead(args, now) ? 'start_datetime' : 'now'} and end_datetime${where}`;
  if (opens({ ...args, days: undefined })) blame('days', `no window on these days ${range}`);
  else blame(args.window_start_time === undefined ? 'window_end_time' : 'window_start_time', `no window ${range}`);
  return faults;
}

const isAhead = (args: ScheduleArgs, now: number): boolean =>
  args.start_datetime !== undefined && Date.parse(args.start_datetime) > now;

function faultOfRange(schedule: Schedule, args: ScheduleArgs, now: number): string | undefined {
  // Without its end a WINDOW would be one that nothing ever misses: a device that stays away would have it wait for good.
  if (args.end_datetime === undefined) return schedule === 'WINDOW' ? 'is required for WINDOW' : undefined;
  const end = Date.parse(args.end_datetime);
  if (args.start_datetime !== undefined && end <= Date.parse(args.start_datetime))
    return 'must be after start_datetime';
  return end <= now ? 'is in the past' : undefined;
}

const opensInZone = (args: ScheduleArgs, zone: string, now: number): boolean =>
  nextWindow({ schedule: 'WINDOW', args, console_timezone: zone }, zone, now) !== null;

/** A window of a zone lies between the start and the end as one of UTC does when these are moved by the zone's offset. */
function opensSomewhere(args: ScheduleArgs, now: number): boolean {
  const start = isAhead(args, now) ? Date.parse(args.start_datetime!) : now;
  const end = args.end_datetime === undefined ? undefined : Date.parse(args.end_datetime) + FARTHEST_AHEAD_MS;
  const everywhere = {
    ...args,
    start_datetime: undefined,
    end_datetime: end === undefined ? undefined : new Date(end).toISOString(),
  };
  return opensInZone(everywhere, 'UTC', start - FARTHEST_BEHIND_MS);
}
