import type { WindowSchedule } from '@muster/contracts';
import { nextWindow } from './window.js';

const HOUR_MS = 3_600_000;

/** Every whole hour that a clock on earth may be away from UTC, −12 to +14; the names of these zones have the opposite sign. */
const ZONES = Array.from({ length: 27 }, (_, place) => {
  const offset = place - 12;
  return `Etc/GMT${offset > 0 ? '-' : '+'}${Math.abs(offset)}`;
});

/**
 * The first moment, epoch ms, at which a window of any device may open; null when it may be open already. On the devices' clocks that is the
 * earliest anywhere on earth, and since some zones lie between two whole hours, up to an hour earlier.
 */
export function firstOpening(schedule: WindowSchedule, now: number): number | null {
  const { args, console_timezone } = schedule;
  const onDevices = args.time_type === 'device';
  const openings = (onDevices ? ZONES : [console_timezone]).flatMap((zone) => {
    const window = nextWindow(schedule, zone, now);
    return window ? [window.opens] : [];
  });
  const start = args.start_datetime === undefined ? now : Date.parse(args.start_datetime);
  const first = Math.max(start, Math.min(...openings) - (onDevices ? HOUR_MS : 0));
  return Number.isFinite(first) && first > now ? first : null;
}
