import { isTimeZone } from '@muster/contracts';
import { Temporal } from 'temporal-polyfill';
import { DAY_MS } from './time-of-day.js';

/** When a clock shows a local time. */
export interface LocalTime {
  /** Epoch milliseconds. */
  instant: number;
  /** Whether the clocks leave this time out, so that `instant` lies behind the gap by as much as the time lies inside of it. */
  moved: boolean;
}

/** Room for a few days of all zones; the answers are facts, so that forgetting them costs time alone. */
const REMEMBERED = 20_000;
const remembered = new Map<string, LocalTime>();

/**
 * When clocks of a zone show a time of day, by the rule that RFC 5545 has for calendars (and Temporal calls `compatible`): the first of two
 * such times where clocks are set back, and where they are set forward and leave it out, the time by the offset from before.
 *
 * A name that is no time zone is read as UTC: registration refuses such names, and a loop that meets one all the same must go on.
 * @param day days after 1970-01-01 in the calendar
 * @param time milliseconds after midnight, less than a day
 */
export function localTime(zone: string, day: number, time: number): LocalTime {
  const key = `${zone} ${day} ${time}`;
  let known = remembered.get(key);
  if (!known) {
    if (remembered.size >= REMEMBERED) remembered.clear();
    known = findLocalTime(zone, day, time);
    remembered.set(key, known);
  }
  return known;
}

function findLocalTime(zone: string, day: number, time: number): LocalTime {
  const wall = Temporal.Instant.fromEpochMilliseconds(day * DAY_MS + time)
    .toZonedDateTimeISO('UTC')
    .toPlainDateTime();
  const zoned = wall.toZonedDateTime(isTimeZone(zone) ? zone : 'UTC', { disambiguation: 'compatible' });
  return { instant: zoned.epochMilliseconds, moved: !zoned.toPlainDateTime().equals(wall) };
}

/** Whether the zone's calendar leaves the day out, as Samoa's did with 30 December 2011. */
export const isSkipped = (zone: string, day: number): boolean =>
  localTime(zone, day, 0).instant === localTime(zone, day + 1, 0).instant;
