import { describe, expect, it } from 'vitest';
import { localTime } from './local-time.js';
import { ALL_CLOCKS, rolloutWindowFaults } from './rollout-window.js';
import { DAY_MS } from './time-of-day.js';

const NOW = Date.parse('2026-11-22T11:00:00Z');
const faults = (rollout: Parameters<typeof rolloutWindowFaults>[0]) =>
  rolloutWindowFaults(rollout, NOW, 'rollout.').map(({ field }) => field);

describe('the window of a rollout', () => {
  const night = { start: '02:00', end: '04:00' };

  it('given an end before it opens, then it is a fault', () => {
    expect(faults({ window: { ...night, timezone: 'UTC' }, end_at: '2026-11-22T12:40:00Z' })).toEqual([
      'rollout.window',
    ]);
    expect(faults({ window: { ...night, timezone: 'UTC' }, end_at: '2026-11-23T02:00:00Z' })).toEqual([
      'rollout.window',
    ]);
  });

  it('given a start after its last opening, then it is a fault', () => {
    const rollout = { window: { ...night, timezone: 'UTC' }, end_at: '2026-11-23T10:00:00Z' };
    expect(faults(rollout)).toEqual([]);
    expect(faults({ ...rollout, start_at: '2026-11-23T05:00:00Z' })).toEqual(['rollout.window']);
  });

  it('given the clock of each device, then it is a fault only where it opens in no zone of the world', () => {
    expect(faults({ window: night, end_at: '2026-11-22T12:40:00Z' })).toEqual([]);
    const end_at = '2026-11-22T14:00:00Z';
    const inBerlin = { start: '14:30', end: '15:00' };
    expect(faults({ window: inBerlin, end_at })).toEqual([]);
    const inKathmandu = { start: '18:50', end: '19:00' };
    expect(faults({ window: inKathmandu, end_at: '2026-11-22T13:10:00Z' })).toEqual([]);
    expect(faults({ window: { ...inKathmandu, timezone: 'Asia/Kolkata' }, end_at: '2026-11-22T13:10:00Z' })).toEqual([
      'rollout.window',
    ]);
    expect(faults({ window: { start: '12:30', end: '12:40', days: [3] }, end_at: '2026-11-23T00:00:00Z' })).toEqual([
      'rollout.window',
    ]);
  });

  it('given a start after which it opens in no year that a time can tell, then it is a fault', () => {
    const rollout = { window: { start: '08:00', end: '09:00', timezone: 'UTC' } };
    expect(faults({ ...rollout, start_at: '9999-12-31T07:00:00Z' })).toEqual([]);
    expect(faults({ ...rollout, start_at: '9999-12-31T23:00:00Z' })).toEqual(['rollout.window']);
  });

  it.each(['2026-01-15', '2026-07-15'])('given any zone of the world on %s, then its clock is looked at', (date) => {
    const noonIn = (zone: string) => localTime(zone, Date.parse(date) / DAY_MS, DAY_MS / 2).instant;
    const noons = new Set(ALL_CLOCKS.map(noonIn));
    expect(Intl.supportedValuesOf('timeZone').filter((zone) => !noons.has(noonIn(zone)))).toEqual([]);
  });

  it('given no end, or no window, then it is none', () => {
    expect(faults({ window: night })).toEqual([]);
    expect(faults({ end_at: '2026-11-22T12:40:00Z' })).toEqual([]);
  });
});
