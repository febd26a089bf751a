import Type, { type Static } from 'typebox';
import { isReadableTime, textOf, Timestamp } from './schema.js';

/**
 * When something may be sent (interfaces §3). IMMEDIATE: at once. WINDOW: once, inside one of the windows. RECURRING: once in each window.
 */
export const SCHEDULES = ['IMMEDIATE', 'WINDOW', 'RECURRING'] as const;

/** Whose clock the windows are read on: the creator's, or each device's own. */
export const TIME_TYPES = ['console', 'device'] as const;

/**
 * A time of day on the clock that `time_type` names. Seed 001 shows it as a whole date-time: of one in just that form the time counts as it is
 * written. Any other date or offset is refused, since it would promise what is not done.
 */
export const TimeOfDay = textOf(
  '^(([01]\\d|2[0-3]):[0-5]\\d(:[0-5]\\d(\\.\\d{1,9})?)?|\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,9})?Z)$',
  'HH:MM or HH:MM:SS, or YYYY-MM-DDTHH:MM:SSZ, of which the time of day counts as it is written',
  (text) => !text.endsWith('Z') || isReadableTime(text),
);

/**
 * The windows: between `start_datetime` and `end_datetime`, on `days` (0 = Monday … 6 = Sunday; every day when absent), between
 * `window_start_time` and `window_end_time` (the whole day when absent). A window that ends at an earlier time of day than it starts goes on
 * over midnight, and belongs to the day on which it starts.
 */
export const ScheduleArgs = Type.Object(
  {
    start_datetime: Type.Optional(Timestamp),
    end_datetime: Type.Optional(Timestamp),
    time_type: Type.Optional(Type.Enum([...TIME_TYPES])),
    window_start_time: Type.Optional(TimeOfDay),
    window_end_time: Type.Optional(TimeOfDay),
    days: Type.Optional(
      Type.Array(Type.Integer({ minimum: 0, maximum: 6 }), { minItems: 1, maxItems: 7, uniqueItems: true }),
    ),
  },
  { additionalProperties: false },
);

/** A schedule that waits for windows, with the zone of whoever made it: what `time_type: console` means. */
export const WindowSchedule = Type.Object({
  schedule: Type.Enum(['WINDOW', 'RECURRING']),
  args: ScheduleArgs,
  console_timezone: Type.String({ description: 'IANA name' }),
});

export type Schedule = (typeof SCHEDULES)[number];
export type ScheduleArgs = Static<typeof ScheduleArgs>;
export type WindowSchedule = Static<typeof WindowSchedule>;
