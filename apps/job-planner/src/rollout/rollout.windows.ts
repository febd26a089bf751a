import type { Rollout } from '@muster/contracts';
import { nextWindow, windowSchedule, type Window } from '@muster/schedule';

/** For each zone the window that is open, or else the next to open. Of one in which none will any more, the end of the rollout. */
export type ZoneWindows = Readonly<Record<string, Window>>;

/** Where devices may be changed at a time. */
export interface Windows {
  zones: ZoneWindows;
  /** Zones in which it is open, each with the time at which it closes; null: everywhere, for there is no window. */
  open: ReadonlyMap<string, number> | null;
  /** When the next zone opens; null when none will that is not open. */
  next: number | null;
  /** When the first zone closes that is open; null when none is. */
  closes: number | null;
}

/**
 * The windows of a rollout for devices in `zones`, at `now` (epoch milliseconds). Where a zone counts that is named, all devices are in that one.
 */
export function windowsAt(rollout: Rollout, zones: Iterable<string>, now: number): Windows {
  const schedule = windowSchedule(rollout);
  if (!schedule) return { zones: {}, open: null, next: null, closes: null };
  const starts = rollout.start_at === undefined ? -Infinity : Date.parse(rollout.start_at);
  const ends = rollout.end_at === undefined ? undefined : Date.parse(rollout.end_at);
  const all: Record<string, Window> = {};
  const open = new Map<string, number>();
  let next = Infinity;
  for (const zone of zones) {
    const found = nextWindow(schedule, zone, Math.max(now, starts));
    if (!found) {
      if (ends !== undefined) all[zone] = { opens: ends, closes: ends };
      continue;
    }
    const { closes } = found;
    const opens = Math.max(found.opens, starts);
    all[zone] = { opens, closes };
    if (opens <= now) open.set(zone, closes);
    else next = Math.min(next, opens);
  }
  return { zones: all, open, next: known(next), closes: known(Math.min(...open.values())) };
}

const known = (time: number): number | null => (Number.isFinite(time) ? time : null);

/** Whether the windows are read on each device's own clock. */
export const isOnDevices = ({ window }: Rollout): boolean =>
  window === undefined || (window.timezone ?? 'device') === 'device';

/** The windows of a rollout whose devices are in `zones`. */
export const windowsOf = ({ spec, zones }: { spec: Rollout; zones: readonly string[] }, now: number): Windows =>
  windowsAt(spec, isOnDevices(spec) ? zones : [spec.window!.timezone!], now);

/** The zones of the devices that may begin; null: whatever theirs are. */
export const openZones = (spec: Rollout, { open }: Windows): string[] | null =>
  open && isOnDevices(spec) ? [...open.keys()] : null;
