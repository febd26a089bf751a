import type { ScheduleArgs } from '@muster/contracts';
import { DAY_MS, timeOfDay } from './time-of-day.js';

/** What the window of a day is by the clock; times in milliseconds. */
export interface DailyWindow {
  /** After midnight; undefined for the start of the day, whenever that is. */
  start: number | undefined;
  /** On a day on which the clocks do not change; at most a day. */
  length: number;
}

/** What lies between the window times; null when they are the same, so that nothing does. */
export function dailyWindow(args: ScheduleArgs): DailyWindow | null {
  const start = args.window_start_time === undefined ? undefined : timeOfDay(args.window_start_time);
  const end = args.window_end_time === undefined ? DAY_MS : timeOfDay(args.window_end_time);
  const length = end - (start ?? 0);
  if (length === 0) return null;
  return { start, length: length > 0 ? length : length + DAY_MS };
}
