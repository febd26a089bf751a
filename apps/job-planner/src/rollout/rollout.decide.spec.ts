import type { Rollout } from '@muster/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exposures } from './exposure.js';
import { ended, targeted, type DeviceEnd } from './tally.js';
import { anyConduct, anySpec, anyWaves, begun, devices, NOON, rolled } from './testing/any-rollout.js';
import { SimulatedRollout } from './testing/simulated-rollout.js';
import { placesOf } from './wave.gate.js';

describe('any rollout over any devices', () => {
  it('given time, then it ends or rests with a reason, and each device is somewhere', () => {
    fc.assert(
      fc.property(anySpec, fc.array(anyConduct, { maxLength: 60 }), (spec, conducts) => {
        const rollout = rolled(spec, conducts);
        expect(rollout.facts.at_rest).toBe(true);
        expect(targeted(rollout.tally)).toBe(conducts.length);
        expect(rollout.ended || rollout.fired !== undefined || rollout.paused !== undefined).toBe(true);
        if (rollout.ended) expect(ended(rollout.tally)).toBe(conducts.length);
        for (const device of rollout.devices) expect(device.begun.length).toBeLessThanOrEqual(1);
      }),
      { numRuns: 400 },
    );
  });

  it('given that it is let go on whenever it rests, then it ends', () => {
    fc.assert(
      fc.property(anySpec, fc.array(anyConduct, { maxLength: 40 }), (given, conducts) => {
        const spec: Rollout = { ...given, abort: (given.abort ?? []).filter(({ action }) => action === 'pause') };
        const rollout = rolled(spec, conducts);
        for (let times = 0; !rollout.ended; times++) {
          expect(times).toBeLessThanOrEqual(2 * conducts.length + 5);
          rollout.restore();
          rollout.run();
        }
        expect(ended(rollout.tally)).toBe(conducts.length);
      }),
      { numRuns: 200 },
    );
  });

  it('given a stop rule that has fired, then no device begins any more', () => {
    fc.assert(
      fc.property(anySpec, fc.array(anyConduct, { minLength: 1, maxLength: 60 }), (spec, conducts) => {
        const rollout = rolled(spec, conducts);
        if (rollout.firedAt === undefined) return;
        const latest = Math.max(...rollout.devices.flatMap((device) => device.begun));
        expect(latest).toBeLessThanOrEqual(rollout.firedAt);
        expect(rollout.steps.slice(rollout.steps.indexOf('stop'))).not.toContain('release');
      }),
      { numRuns: 400 },
    );
  });

  it('given a cancel at any moment, then it comes to rest with nothing open, and nothing begins after it', () => {
    fc.assert(
      fc.property(
        anySpec,
        fc.array(anyConduct, { maxLength: 40 }),
        fc.integer({ min: 0, max: 100_000 }),
        (spec, conducts, after) => {
          const rollout = new SimulatedRollout(spec, conducts, NOON);
          rollout.run(NOON + after * 1000);
          const before = begun(rollout);
          if (rollout.ended) return;
          if (rollout.facts.at_rest) rollout.facts = { ...rollout.facts, at_rest: false };
          rollout.wish = 'cancel';
          rollout.run();
          expect(rollout.facts.at_rest).toBe(true);
          expect(begun(rollout)).toBe(before);
          expect(ended(rollout.tally)).toBe(targeted(rollout.tally));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('given windows, then devices begin only while theirs is open', () => {
    fc.assert(
      fc.property(anySpec, fc.array(anyConduct, { maxLength: 40 }), (given, conducts) => {
        const rollout = rolled({ ...given, window: { start: '01:00', end: '05:00' } }, conducts);
        for (const { begun: times, zone } of rollout.devices) {
          for (const time of times) {
            const hour = Number(
              new Intl.DateTimeFormat('en', { timeZone: zone, hour: 'numeric', hourCycle: 'h23' }).format(time),
            );
            expect(hour).toBeGreaterThanOrEqual(1);
            expect(hour).toBeLessThan(5);
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it('given a rate, then in no minute more begin than it and a second of it allow', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2_000 }), fc.integer({ min: 1, max: 80 }), (rate_per_minute, count) => {
        const rollout = rolled({ rate_per_minute }, devices(count));
        const times = rollout.devices.flatMap((device) => device.begun).sort((a, b) => a - b);
        for (const from of times) {
          const inMinute = times.filter((time) => time >= from && time < from + 60_000).length;
          expect(inMinute).toBeLessThanOrEqual(rate_per_minute + Math.max(1, rate_per_minute / 60));
        }
        expect(rollout.ended).toBe(true);
      }),
    );
  });

  it('given steps that may take few devices, then all begin, no more of them in a step', () => {
    const rollout = new SimulatedRollout({}, devices(20), NOON);
    rollout.facts = { ...rollout.facts, at_once: 3 };
    rollout.run();
    expect(begun(rollout)).toBe(20);
    expect(rollout.steps.filter((step) => step === 'release')).toHaveLength(7);
  });

  it('given a ramp that has grown beyond all numbers, then its devices still begin', () => {
    const rollout = rolled(
      { ramp: { base: 1_000_000, factor: 100, after_succeeded: 1 }, max_in_flight: 200 },
      devices(500),
    );
    expect(rollout.ended).toBe(true);
    expect(rollout.tally.succeeded).toBe(500);
  });
});

describe('a change that goes wrong from a wave on', () => {
  it('given any rules, then no more devices are changed than its worst case says', () => {
    fc.assert(
      fc.property(
        anySpec,
        fc.integer({ min: 1, max: 120 }),
        fc.nat(),
        fc.constantFrom<DeviceEnd>('failed', 'timed_out', 'rejected'),
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 120, maxLength: 120 }),
        (given, count, from, end, seconds) => {
          const { window: _window, start_at: _start, end_at: _end, ...spec } = given;
          const waves = placesOf(spec.waves ?? [{}], new Map(), 0, count);
          const bad = from % waves.length;
          const first = waves[bad]!.from;
          const conducts = devices(count, (place) => ({
            seconds: seconds[place]!,
            end: place >= first ? end : 'succeeded',
          }));
          const worst = exposures(spec, waves)[bad]!;
          const rollout = rolled(spec, conducts);
          // A rule that counts another outcome does not see this one.
          const blind = worst.rule !== null && ![end, 'any', undefined].includes(spec.abort![worst.rule]!.outcome);
          if (!blind) expect(begun(rollout)).toBeLessThanOrEqual(worst.devices);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('given 5,000 devices in waves of 1 %, 10 % and the rest, then a fault in the second stops there', () => {
    const spec: Rollout = {
      waves: [{ percent: 1, success_threshold: 95 }, { percent: 10, success_threshold: 95 }, {}],
      max_in_flight: 20,
      abort: [{ percent: 5, min_finished: 10, action: 'pause' }],
    };
    const worst = exposures(spec, placesOf(spec.waves!, new Map(), 0, 5_000));
    expect(worst).toEqual([
      { wave: 1, rule: 0, devices: 29, wrong: 29 },
      { wave: 2, rule: 0, devices: 72, wrong: 22 },
      { wave: 3, rule: 0, devices: 598, wrong: 48 },
    ]);
    const rollout = rolled(
      spec,
      devices(5_000, (place) => ({ end: place < 50 ? 'succeeded' : 'failed' })),
    );
    expect(rollout.fired).toBe(0);
    expect(begun(rollout)).toBeLessThanOrEqual(72);
    expect(begun(rollout)).toBeGreaterThan(50);
  });
});

describe('waves', () => {
  it('given a threshold that is reached early, then the next wave begins after its soak', () => {
    const spec: Rollout = { waves: [{ count: 4, success_threshold: 50, soak_seconds: 60 }, {}] };
    const rollout = rolled(
      spec,
      devices(10, (place) => ({ seconds: place < 2 ? 5 : place < 4 ? 1_000 : 1 })),
    );
    expect(rollout.devices[4]!.begun).toEqual([NOON + 65_000]);
    expect(rollout.ended).toBe(true);
  });

  it('given a first wave of which too many fail, then it pauses with the reason, and goes on once it is let', () => {
    const spec: Rollout = { waves: [{ count: 4, success_threshold: 75 }, {}] };
    const rollout = rolled(
      spec,
      devices(10, (place) => ({ end: place < 2 ? 'failed' : 'succeeded', seconds: place + 1 })),
    );
    expect(rollout.paused).toBe('wave 1: at most 50 % of its devices can still succeed, 75 % are needed');
    expect(begun(rollout)).toBe(4);
    rollout.restore();
    rollout.run();
    expect(rollout.tally).toMatchObject({ succeeded: 8, failed: 2 });
  });

  it('given a shut gate that somebody overrules, then its wave soaks from then on before the next one begins', () => {
    const rollout = rolled(
      { waves: [{ count: 2, success_threshold: 100, soak_seconds: 60 }, {}] },
      devices(4, (place) => ({ end: place === 0 ? 'failed' : 'succeeded' })),
    );
    expect(rollout.paused).toBeDefined();
    rollout.now = NOON + 600_000;
    rollout.restore();
    rollout.run();
    expect(rollout.devices.slice(2).map((device) => device.begun)).toEqual(Array(2).fill([NOON + 660_000]));
    expect(rollout.ended).toBe(true);
  });

  it('given a wave in which a stop rule paused it, then letting it go on passes no gate that is not shut', () => {
    const rollout = rolled(
      {
        waves: [{ count: 4, success_threshold: 75, soak_seconds: 60 }, {}],
        max_in_flight: 1,
        abort: [{ count: 1, action: 'pause' }],
      },
      devices(5, (place) => ({ end: place === 0 ? 'failed' : 'succeeded' })),
    );
    expect(rollout.fired).toBe(0);
    rollout.restore();
    rollout.run();
    // One second each: the failure before the pause, three successes after it, and then the soak.
    expect(rollout.devices[4]!.begun).toEqual([NOON + 64_000]);
  });

  it('given a pause, then a soak that has begun goes on meanwhile; of a gate that opens in it, it begins with the restore', () => {
    const begins = (seconds: number) => {
      const rollout = new SimulatedRollout(
        { waves: [{ count: 1, soak_seconds: 60 }, {}] },
        devices(2, () => ({ seconds })),
        NOON,
      );
      rollout.run(NOON + 5_000);
      rollout.wish = 'pause';
      rollout.run(NOON + 40_000);
      expect(rollout.facts.at_rest).toBe(true);
      rollout.now = NOON + 100_000;
      rollout.restore();
      rollout.run();
      return rollout.devices[1]!.begun;
    };
    expect(begins(1)).toEqual([NOON + 100_000]);
    expect(begins(30)).toEqual([NOON + 160_000]);
  });

  it('given a wave without a threshold of which none succeeds, then it pauses', () => {
    const rollout = rolled(
      { waves: [{ count: 2 }, {}] },
      devices(5, () => ({ end: 'rejected' })),
    );
    expect(rollout.paused).toBe('wave 1: none of its 2 devices succeeded');
  });

  it('given offline devices, then they hold up the next wave only if they may not catch up', () => {
    const conducts = devices(6, (place) => ({ away: place === 0 ? 3_600 : 0 }));
    const begins = (catch_up: boolean) =>
      rolled({ waves: [{ count: 3 }, {}], catch_up }, conducts).devices[5]!.begun[0];
    expect(begins(true)).toBe(NOON + 1_000);
    expect(begins(false)).toBe(NOON + 3_601_000);
  });

  it('given a wave with a threshold that is offline as a whole, then its gate waits for them', () => {
    const rollout = rolled(
      { waves: [{ count: 3, success_threshold: 80 }, {}] },
      devices(6, (place) => ({ away: place < 3 ? 3_600 : 0 })),
    );
    expect(rollout.paused).toBeUndefined();
    expect(rollout.tally.succeeded).toBe(6);
    expect(rollout.devices[5]!.begun).toEqual([NOON + 3_601_000]);
  });

  it.each([
    ['a gate that waits for its offline devices', { waves: [{ count: 3 }, {}], catch_up: false }, 'offline'],
    ['a wave that is offline as a whole', { waves: [{ count: 1, success_threshold: 80 }, {}] }, 'offline'],
    [
      'a gate that waits for them while the window is closed for the rest',
      { waves: [{ count: 3 }, {}], catch_up: false, window: { start: '12:00', end: '12:01', timezone: 'UTC' } },
      'offline',
    ],
    [
      'offline devices of a wave of which others wait for their window',
      { waves: [{ count: 4 }, {}], catch_up: false, window: { start: '12:00', end: '13:00' } },
      'window',
    ],
  ] satisfies [string, Rollout, string][])('given %s, then that is what it waits for', (_, spec, waitsFor) => {
    const rollout = new SimulatedRollout(
      spec,
      devices(6, (place) => ({ away: place === 0 ? 3_600 : 0, zone: place === 3 ? 'Asia/Tokyo' : 'UTC' })),
      NOON,
    );
    rollout.run(NOON + 1_800_000);
    expect(rollout.waitsFor).toBe(waitsFor);
  });

  it('given a wave that needs an approval, then nothing of it begins without', () => {
    const rollout = rolled({ waves: [{ count: 2 }, { approval: true }] }, devices(5), () => false);
    expect(begun(rollout)).toBe(2);
    expect(rollout.facts.at_rest).toBe(false);
  });

  it('given waves that got no device, then nobody is asked or waited for on their account', () => {
    const spec: Rollout = { waves: [{ percent: 50 }, { percent: 10, approval: true, soak_seconds: 3_600 }, {}] };
    const rollout = rolled(spec, devices(3), () => false);
    expect(rollout.facts.waves.map(({ from, to }) => to - from)).toEqual([2, 0, 1]);
    expect(rollout.tally.succeeded).toBe(3);
    expect(rollout.now).toBe(NOON + 2_000);
    const ofTwo = rolled(
      { waves: [{ count: 2, success_threshold: 50 }, { approval: true }] },
      devices(2, (place) => ({ seconds: 1 + 60 * place })),
    );
    expect(ofTwo.steps).not.toContain('ask_approval');
    expect(ofTwo.ended).toBe(true);
  });

  it('given percents of few devices, then the first wave has one, and all have their place', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), anyWaves, (count, waves) => {
        const places = placesOf(waves, new Map(), 0, count);
        expect(places[0]!.to).toBeGreaterThan(0);
        expect(places.at(-1)!.to).toBe(count);
        for (const [index, place] of places.entries()) expect(place.from).toBe(places[index - 1]?.to ?? 0);
      }),
    );
  });
});
