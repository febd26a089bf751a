import type { WindowSchedule } from '@muster/contracts';
import { nextWindow, type Window } from '@muster/schedule';

/** The windows of a schedule, each zone's found once: a batch has many devices and few zones. */
export function windowsOf(schedule: WindowSchedule): (timezone: string | null, from: number) => Window | null {
  const found = new Map<string, Window | null>();
  return (timezone, from) => {
    const zone = timezone ?? 'UTC';
    const key = `${zone} ${from}`;
    let window = found.get(key);
    if (window === undefined) {
      window = nextWindow(schedule, zone, from);
      found.set(key, window);
    }
    return window;
  };
}

/** Columns of commands that wait for these windows. */
export const windowColumns = (windows: readonly (Window | null)[]) => ({
  window_opens: windows.map((window) => window && new Date(window.opens)),
  window_closes: windows.map((window) => window && new Date(window.closes)),
});
