import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyArgs, anyDays, anyInstant, anyZone, clock, onDevices } from './testing/schedules.js';
import { looksBetween, shownAt, weekdayShown, windowsSeen } from './testing/wall-clock.js';
import { nextWindow } from './window.js';

const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;

/** Days on which clocks change, forward and back. */
const CHANGES: [zone: string, day: string][] = [
  ['Africa/Casablanca', '2026-02-15'],
  ['Africa/Casablanca', '2026-03-22'],
  ['America/New_York', '2026-11-01'],
  ['America/New_York', '2027-03-14'],
  ['America/Nuuk', '2026-10-24'],
  ['America/Nuuk', '2027-03-27'],
  ['America/Santiago', '2026-04-04'],
  ['America/Santiago', '2026-09-06'],
  ['America/St_Johns', '2027-03-14'],
  ['Atlantic/Azores', '2026-10-25'],
  ['Atlantic/Azores', '2027-03-28'],
  ['Australia/Lord_Howe', '2026-10-04'],
  ['Australia/Lord_Howe', '2027-04-04'],
  ['Europe/Berlin', '2026-10-25'],
  ['Europe/Berlin', '2027-03-28'],
  ['Pacific/Chatham', '2026-09-27'],
  ['Pacific/Chatham', '2027-04-04'],
];

describe('the next window of any schedule, in any zone', () => {
  it('is not empty, closes later than it is asked for, and lies between start and end', () => {
    fc.assert(
      fc.property(anyArgs, anyZone, anyInstant, (args, zone, from) => {
        const window = nextWindow(onDevices(args), zone, from);
        if (!window) return;
        expect(window.closes).toBeGreaterThan(window.opens);
        expect(window.closes).toBeGreaterThan(from);
        if (args.start_datetime) expect(window.opens).toBeGreaterThanOrEqual(Date.parse(args.start_datetime));
        if (args.end_datetime) expect(window.closes).toBeLessThanOrEqual(Date.parse(args.end_datetime));
      }),
      { numRuns: 500 },
    );
  });

  it('is the same from any instant until it closes, and then one that opens no earlier', () => {
    fc.assert(
      fc.property(anyArgs, anyZone, anyInstant, fc.nat(), (args, zone, from, later) => {
        const schedule = onDevices(args);
        const window = nextWindow(schedule, zone, from);
        if (!window) {
          expect(nextWindow(schedule, zone, from + later)).toBeNull();
          return;
        }
        expect(nextWindow(schedule, zone, from + (later % (window.closes - from)))).toEqual(window);
        const following = nextWindow(schedule, zone, window.closes);
        if (following) expect(following.opens).toBeGreaterThanOrEqual(window.closes);
      }),
      { numRuns: 500 },
    );
  });

  it('given no start and end, then it opens within eight days, on one of its days', () => {
    fc.assert(
      fc.property(anyArgs, anyZone, anyInstant, (args, zone, from) => {
        const { window_start_time: start, window_end_time: end = '24' } = args;
        fc.pre((start ?? '00:00:00') !== end);
        const window = nextWindow(
          onDevices({ ...args, start_datetime: undefined, end_datetime: undefined }),
          zone,
          from,
        )!;
        expect(window.opens - from).toBeLessThan(8 * DAY_MS);
        // Nuuk's clocks leave out an hour before midnight, and what was to start in it starts on the day after.
        if (zone !== 'America/Nuuk' && args.days)
          expect(args.days).toContain(weekdayShown(shownAt(zone, Math.floor(window.opens / 1000) * 1000)));
      }),
      { numRuns: 500 },
    );
  });

  it('is open whenever a clock on the wall shows a time of it, while no clock changes', () => {
    const anySecond = fc.integer({ min: 0, max: 86_399 });
    fc.assert(
      fc.property(anyZone, anyDays, anySecond, anySecond, anyInstant, (zone, days, start, end, instant) => {
        const now = Math.floor(instant / 1000) * 1000;
        const offsetAt = (at: number) => shownAt(zone, at) - at;
        fc.pre(start !== end && offsetAt(now - 2 * DAY_MS) === offsetAt(now + 2 * DAY_MS));
        const shown = shownAt(zone, now);
        const second = (shown % DAY_MS) / 1000;
        const [today, yesterday] = [weekdayShown(shown), weekdayShown(shown - DAY_MS)];
        const isOpen =
          start < end
            ? days.includes(today) && second >= start && second < end
            : (days.includes(today) && second >= start) || (days.includes(yesterday) && second < end);
        const args = { days, window_start_time: clock(start), window_end_time: clock(end) };
        expect(nextWindow(onDevices(args), zone, now)!.opens <= now).toBe(isOpen);
      }),
      { numRuns: 500 },
    );
  });

  it('is each one that is seen by looking at a clock for days around a change, and no other', () => {
    const seenAround = CHANGES.map(([zone, day]) => {
      const change = Date.parse(day);
      const looks = looksBetween(zone, change - 4 * DAY_MS, change + 5 * DAY_MS);
      expect(new Set(looks.map(({ instant, shown }) => shown - instant)).size).toBe(2);
      return { zone, looks };
    });
    const anyChange = fc.constantFrom(...seenAround);
    const anyQuarter = fc.integer({ min: 0, max: 95 }).map((quarter) => quarter * 900);
    fc.assert(
      fc.property(anyChange, anyDays, anyQuarter, anyQuarter, ({ zone, looks }, days, start, end) => {
        fc.pre(start !== end);
        const seen = windowsSeen(looks, days, start * 1000, end * 1000);
        const schedule = onDevices({ days, window_start_time: clock(start), window_end_time: clock(end) });
        let from = seen[0]?.opens ?? 0;
        for (const window of seen) {
          expect(nextWindow(schedule, zone, from)).toEqual(window);
          from = window.closes;
        }
      }),
      { numRuns: 500 },
    );
  });
});
