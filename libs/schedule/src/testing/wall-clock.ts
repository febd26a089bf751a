const QUARTER_MS = 15 * 60_000;
const HOUR_MS = 4 * QUARTER_MS;
const DAY_MS = 24 * HOUR_MS;

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat('en', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formats.set(zone, format);
  }
  return format;
}

/** What a clock in the zone shows at an instant of whole seconds, as the epoch milliseconds at which one in UTC shows the same. */
export function shownAt(zone: string, instant: number): number {
  const parts = formatOf(zone).formatToParts(instant);
  const of = (type: Intl.DateTimeFormatPartTypes) => Number(parts.find((part) => part.type === type)!.value);
  return Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second'));
}

/** 0 = Monday … 6 = Sunday of what a clock shows. */
export const weekdayShown = (shown: number): number => (new Date(shown).getUTCDay() + 6) % 7;

interface Look {
  instant: number;
  shown: number;
}

/** What a clock of the zone shows at every quarter of an hour between two instants. */
export function looksBetween(zone: string, from: number, until: number): Look[] {
  const looks: Look[] = [];
  for (let instant = from; instant < until; instant += QUARTER_MS)
    looks.push({ instant, shown: shownAt(zone, instant) });
  return looks;
}

/**
 * All windows that a clock shows whole, found by going through the looks at it. Times are in milliseconds after midnight and on quarters
 * of an hour, and the end is not the start.
 */
export function windowsSeen(looks: Look[], days: number[], start: number, end: number) {
  // When the clock first shows a time; if it leaves the time out, as long after what it showed last as that is before the time.
  const meet = (time: number) => {
    const at = looks.findIndex(({ shown }) => shown >= time);
    const here = looks[at];
    const before = looks[at - 1];
    if (!here || !before) return undefined;
    return here.shown === time
      ? { instant: here.instant, moved: false }
      : { instant: before.instant + time - before.shown, moved: true };
  };
  const seen: { opens: number; closes: number }[] = [];
  const length = end > start ? end - start : end - start + DAY_MS;
  const firstDay = Math.ceil(looks[0]!.shown / DAY_MS) * DAY_MS;
  for (let day = firstDay; day < looks.at(-1)!.shown; day += DAY_MS) {
    const opening = meet(day + start);
    const closing = meet(day + start + length);
    const next = meet(day + DAY_MS + start);
    if (!opening || !closing || !next || !days.includes(weekdayShown(day))) continue;
    const closes = opening.moved ? opening.instant + length : closing.instant;
    seen.push({ opens: opening.instant, closes: Math.min(closes, next.instant) });
  }
  return seen;
}
