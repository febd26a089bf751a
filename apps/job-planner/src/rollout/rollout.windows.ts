import type { Rollout } from '@muster/contracts';
import { nextWindow, windowSchedule } from '@muster/schedule';

/** Where devices may be changed at a time. */
export interface Windows {
  /** Zones in which it is open, each with the time at which it closes; null: everywhere, for there is no window. */
  open: ReadonlyMap<string, number> | null;
  /** When the next zone opens, or a window ends; null when none will. */
  next: number | null;
}

/**
 * The windows of a rollout for devices in `zones`, at `now` (epoch milliseconds). Where a zone counts that is named, all devices are in that one.
 */
export function windowsAt(rollout: Rollout, zones: Iterable<string>, now: number): Windows {
  const schedule = windowSchedule(rollout);
  if (!schedule) return { open: null, next: null };
  const open = new Map<string, number>();
  let next = Infinity;
  for (const zone of zones) {
    const found = nextWindow(schedule, zone, now);
    if (!found) continue;
    if (found.opens <= now) open.set(zone, found.closes);
    next = Math.min(next, found.opens > now ? found.opens : found.closes);
  }
  return { open, next: Number.isFinite(next) ? next : null };
}

/** Whether the windows are read on each device's own clock. */
export const isOnDevices = ({ window }: Rollout): boolean =>
  window === undefined || (window.timezone ?? 'device') === 'device';

/** The windows of a rollout whose devices are in `zones`. */
export const windowsOf = ({ spec, zones }: { spec: Rollout; zones: readonly string[] }, now: number): Windows =>
  windowsAt(spec, isOnDevices(spec) ? zones : [spec.window!.timezone!], now);
