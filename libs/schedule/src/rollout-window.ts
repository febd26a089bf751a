import { LAST_TIME, type FieldError, type Rollout, type WindowSchedule } from '@muster/contracts';
import { nextWindow } from './window.js';

/** For each time that clocks show somewhere a zone in which they do: every hour from UTC+14 to UTC−12, then what lies between. */
export const ALL_CLOCKS = [
  ...Array.from({ length: 27 }, (_, hour) => `Etc/GMT${hour < 14 ? '' : '+'}${hour - 14}`),
  ...[
    'Pacific/Chatham',
    'Australia/Lord_Howe',
    'Australia/Adelaide',
    'Australia/Darwin',
    'Australia/Eucla',
    'Asia/Yangon',
    'Asia/Kathmandu',
    'Asia/Kolkata',
  ],
  ...['Asia/Kabul', 'Asia/Tehran', 'America/St_Johns', 'Pacific/Marquesas'],
];

const LAST_DATETIME = new Date(LAST_TIME).toISOString();

/** The window of a rollout as a schedule; undefined where it has none. Where its clock is each device's own, there is no zone to name. */
export function windowSchedule({ window, end_at }: Rollout): WindowSchedule | undefined {
  if (!window) return undefined;
  const { start, end, days, timezone = 'device' } = window;
  return {
    schedule: 'WINDOW',
    args: {
      window_start_time: start,
      window_end_time: end,
      time_type: timezone === 'device' ? 'device' : 'console',
      ...(days && { days }),
      end_datetime: end_at ?? LAST_DATETIME,
    },
    console_timezone: timezone,
  };
}

/**
 * What is wrong with the window of a rollout that is sound by its schema and has no other fault: that it never opens.
 * @param now epoch milliseconds
 * @param at where the rollout stands in its document; with a dot at its end
 */
export function rolloutWindowFaults(rollout: Rollout, now: number, at: string): FieldError[] {
  const schedule = windowSchedule(rollout);
  if (!schedule) return [];
  const from = Math.max(now, rollout.start_at === undefined ? 0 : Date.parse(rollout.start_at));
  const zones = schedule.args.time_type === 'device' ? ALL_CLOCKS : [schedule.console_timezone];
  const ends = rollout.end_at === undefined ? Infinity : Date.parse(rollout.end_at);
  const opens = zones.some((zone) => (nextWindow(schedule, zone, from)?.opens ?? Infinity) < ends);
  return opens ? [] : [{ field: `${at}window`, message: 'does not open before end_at' }];
}
