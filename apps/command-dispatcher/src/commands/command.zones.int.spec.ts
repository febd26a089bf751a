import type { ScheduleArgs } from '@muster/contracts';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { RunningDispatcher } from '../testing/running-dispatcher.js';
import { CommandSweep } from './command.sweep.js';
import { IN_FLIGHT } from './command.lifecycle.js';

const QUARTER_MS = 15 * 60_000;
const DAY_MS = 96 * QUARTER_MS;
const BEGINNING = new Date('2025-02-20T00:00:00Z');

/** From a Sunday on: what the device's clock shows when a window from 02:30 to 04:00 opens and closes, with the clock's offset. */
type Reading = [from: string, opens: string, closes: string];

interface Season {
  sundays: [first: string, last: string];
  clocks: Record<string, Reading[]>;
}

/**
 * The clocks of ten zones as they were set forward and back in 2025, written down by hand. A time that was left out counts as much later as
 * the clocks were set forward, with the whole window behind it; of a time that came twice the first one counts.
 */
const SEASONS: Record<string, Season> = {
  spring: {
    sundays: ['2025-03-02', '2025-04-13'],
    clocks: {
      'America/Phoenix': [['2025-03-02', '02:30-07:00', '04:00-07:00']],
      'America/New_York': [
        ['2025-03-02', '02:30-05:00', '04:00-05:00'],
        ['2025-03-09', '03:30-04:00', '05:00-04:00'],
        ['2025-03-16', '02:30-04:00', '04:00-04:00'],
      ],
      'America/St_Johns': [
        ['2025-03-02', '02:30-03:30', '04:00-03:30'],
        ['2025-03-09', '03:30-02:30', '05:00-02:30'],
        ['2025-03-16', '02:30-02:30', '04:00-02:30'],
      ],
      'America/Nuuk': [
        ['2025-03-02', '02:30-02:00', '04:00-02:00'],
        ['2025-03-30', '02:30-01:00', '04:00-01:00'],
      ],
      'Europe/Berlin': [
        ['2025-03-02', '02:30+01:00', '04:00+01:00'],
        ['2025-03-30', '03:30+02:00', '05:00+02:00'],
        ['2025-04-06', '02:30+02:00', '04:00+02:00'],
      ],
      'Asia/Beirut': [
        ['2025-03-02', '02:30+02:00', '04:00+02:00'],
        ['2025-03-30', '02:30+03:00', '04:00+03:00'],
      ],
      'Asia/Kathmandu': [['2025-03-02', '02:30+05:45', '04:00+05:45']],
      'Australia/Lord_Howe': [
        ['2025-03-02', '02:30+11:00', '04:00+11:00'],
        ['2025-04-06', '02:30+10:30', '04:00+10:30'],
      ],
      'Pacific/Chatham': [
        ['2025-03-02', '02:30+13:45', '04:00+13:45'],
        ['2025-04-06', '02:30+13:45', '04:00+12:45'],
        ['2025-04-13', '02:30+12:45', '04:00+12:45'],
      ],
      'Pacific/Kiritimati': [['2025-03-02', '02:30+14:00', '04:00+14:00']],
    },
  },
  autumn: {
    sundays: ['2025-09-21', '2025-11-09'],
    clocks: {
      'America/Phoenix': [['2025-09-21', '02:30-07:00', '04:00-07:00']],
      'America/New_York': [
        ['2025-09-21', '02:30-04:00', '04:00-04:00'],
        ['2025-11-02', '02:30-05:00', '04:00-05:00'],
      ],
      'America/St_Johns': [
        ['2025-09-21', '02:30-02:30', '04:00-02:30'],
        ['2025-11-02', '02:30-03:30', '04:00-03:30'],
      ],
      'America/Nuuk': [
        ['2025-09-21', '02:30-01:00', '04:00-01:00'],
        ['2025-10-26', '02:30-02:00', '04:00-02:00'],
      ],
      'Europe/Berlin': [
        ['2025-09-21', '02:30+02:00', '04:00+02:00'],
        ['2025-10-26', '02:30+02:00', '04:00+01:00'],
        ['2025-11-02', '02:30+01:00', '04:00+01:00'],
      ],
      'Asia/Beirut': [
        ['2025-09-21', '02:30+03:00', '04:00+03:00'],
        ['2025-10-26', '02:30+02:00', '04:00+02:00'],
      ],
      'Asia/Kathmandu': [['2025-09-21', '02:30+05:45', '04:00+05:45']],
      'Australia/Lord_Howe': [
        ['2025-09-21', '02:30+10:30', '04:00+10:30'],
        ['2025-10-05', '02:30+11:00', '04:00+11:00'],
      ],
      'Pacific/Chatham': [
        ['2025-09-21', '02:30+12:45', '04:00+12:45'],
        ['2025-09-28', '02:30+12:45', '04:00+13:45'],
        ['2025-10-05', '02:30+13:45', '04:00+13:45'],
      ],
      'Pacific/Kiritimati': [['2025-09-21', '02:30+14:00', '04:00+14:00']],
    },
  },
};

const WINDOW: ScheduleArgs = { time_type: 'device', window_start_time: '02:30', window_end_time: '04:00', days: [6] };

let dispatcher: RunningDispatcher;
let answered = 0;

beforeAll(async () => {
  dispatcher = await RunningDispatcher.start(BEGINNING);
});
afterAll(() => dispatcher.service.stop());

const inUtc = (time: number) => new Date(time).toISOString();

/** What a clock in the zone shows, as ISO 8601 writes it. */
function shown(zone: string, time: number): string {
  const format = new Intl.DateTimeFormat('en', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    timeZoneName: 'longOffset',
  });
  const part = Object.fromEntries(format.formatToParts(time).map(({ type, value }) => [type, value]));
  return `${part['year']}-${part['month']}-${part['day']}T${part['hour']}:${part['minute']}${part['timeZoneName']!.slice(3)}`;
}

const sundaysOf = ({ sundays: [first, last] }: Season): string[] => {
  const found: string[] = [];
  for (let time = Date.parse(first); time <= Date.parse(last); time += 7 * DAY_MS) found.push(inUtc(time).slice(0, 10));
  return found;
};

function readingOn(sunday: string, readings: readonly Reading[]): { opens: string; closes: string } {
  const [, opens, closes] = readings.findLast(([from]) => from <= sunday)!;
  return { opens: `${sunday}T${opens}`, closes: `${sunday}T${closes}` };
}

/** Lets all happen that is due; devices succeed at once. Gives the devices that were sent a command. */
async function settle(): Promise<string[]> {
  const started: string[] = [];
  const isGoing = `SELECT FROM command WHERE due_at <= now() OR state = ANY($1) LIMIT 1`;
  await vi.waitUntil(
    async () => {
      if ((await dispatcher.service.query(isGoing, [IN_FLIGHT])).length === 0) return true;
      await dispatcher.service.get(CommandSweep).step();
      for (; answered < dispatcher.sent.length; answered++) {
        const { device_id, command_id, fence } = dispatcher.sent[answered]!;
        started.push(device_id);
        dispatcher.status(device_id, { command_id, fence, status: 'success' });
      }
      return false;
    },
    { interval: 5 },
  );
  return started;
}

const moveTo = (time: number) => dispatcher.service.clock.moveTo(new Date(time));

describe.each(Object.entries(SEASONS))('windows on the clocks of ten zones, in %s', (_name, season) => {
  const { clocks } = season;
  const zones = Object.keys(clocks);
  const sundays = sundaysOf(season);
  const begins = Date.parse(sundays[0]!) - DAY_MS;
  const ends = Date.parse(sundays.at(-1)!) + DAY_MS;

  it('given a command that recurs, then each device starts it as its window opens, once on every Sunday, before and after its clock changes', async () => {
    const zoneOf = new Map(zones.map((zone) => [dispatcher.device(true, zone), zone]));
    await moveTo(begins);
    const { id } = await dispatcher.create({
      devices: [...zoneOf.keys()],
      schedule: 'RECURRING',
      schedule_args: { ...WINDOW, start_datetime: inUtc(begins), end_datetime: inUtc(ends) },
    });
    const starts: Record<string, string[]> = Object.fromEntries(zones.map((zone) => [zone, []]));
    for (const sunday of sundays) {
      const midnight = Date.parse(sunday);
      for (let time = midnight - DAY_MS / 2; time <= midnight + DAY_MS / 2; time += QUARTER_MS) {
        await moveTo(time);
        for (const device of await settle()) starts[zoneOf.get(device)!]!.push(shown(zoneOf.get(device)!, time));
      }
    }
    const windows = Object.fromEntries(
      zones.map((zone) => [zone, sundays.map((sunday) => readingOn(sunday, clocks[zone]!).opens)]),
    );
    expect(starts).toEqual(windows);
    const total = zones.length * sundays.length;
    expect(await dispatcher.stats(id)).toMatchObject({ total, SUCCESS: total });
  }, 120_000);

  it('given devices that were away in one window, then the one that comes before its next one closes starts, and the one that comes as it closes does not', async () => {
    const happenings: { at: number; happens: () => Promise<void> }[] = [];
    await moveTo(begins);
    for (const zone of zones) {
      for (const [changed] of clocks[zone]!.slice(1)) {
        const [early, late] = [dispatcher.device(false, zone), dispatcher.device(false, zone)];
        const before = sundays[sundays.indexOf(changed) - 1]!;
        const [missed, next] = [readingOn(before, clocks[zone]!), readingOn(changed, clocks[zone]!)];
        const { id } = await dispatcher.create({
          devices: [early, late],
          schedule: 'WINDOW',
          schedule_args: {
            ...WINDOW,
            start_datetime: inUtc(Date.parse(before) - DAY_MS),
            end_datetime: inUtc(Date.parse(changed) + DAY_MS),
          },
        });
        const states = async () => (await dispatcher.commandsOf(id)).map(({ state }) => state);
        const then = (at: string, ms: number, happens: () => Promise<void>) => {
          expect(shown(zone, Date.parse(at))).toBe(at);
          happenings.push({ at: Date.parse(at) + ms, happens });
        };
        const both = (state: string) => async () => {
          await settle();
          expect(await states()).toEqual([state, state]);
        };
        then(missed.opens, -QUARTER_MS, both('SCHEDULED'));
        then(missed.opens, 0, both('QUEUED'));
        then(missed.closes, -QUARTER_MS, both('QUEUED'));
        then(missed.closes, 0, both('SCHEDULED'));
        then(next.opens, -QUARTER_MS, both('SCHEDULED'));
        then(next.opens, 0, both('QUEUED'));
        then(next.closes, -QUARTER_MS, async () => {
          await dispatcher.presence(early, true);
          await dispatcher.sentTo(early, 1);
          await settle();
          expect((await states()).sort()).toEqual(['QUEUED', 'SUCCESS']);
        });
        then(next.closes, 0, async () => {
          await dispatcher.presence(late, true);
          const beside = await dispatcher.commandFor(late);
          expect((await dispatcher.sentTo(late, 1)).map(({ command_id }) => command_id)).toEqual([beside.id]);
          await settle();
          const codes = (await dispatcher.commandsOf(id)).map(({ state, code }) => `${state} ${code}`);
          expect(codes.sort()).toEqual(['SUCCESS ', 'TIMEOUT window_missed']);
        });
      }
    }
    for (const { at, happens } of happenings.toSorted((one, other) => one.at - other.at)) {
      await moveTo(at);
      await happens();
    }
  }, 120_000);
});
