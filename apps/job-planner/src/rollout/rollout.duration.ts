import { MAX_IN_FLIGHT, type Rollout, type Wave } from '@muster/contracts';
import type { DeviceTime } from './device.times.js';
import { lastBegins } from './pace.js';
import { inProgressSeconds, offlineSeconds } from './rollout.ask.js';
import { needed } from './wave.gate.js';
import { WaveTimes } from './wave.times.js';

/** What is known of a wave before it begins. */
export interface WaveOutlook {
  size: number;
  /** Of its devices, those that are offline. */
  offline: number;
  /** Of some of its devices, or of devices like them; without those that are skipped. */
  times: readonly DeviceTime[];
}

/** How long a rollout may take, in seconds. */
export interface Duration {
  least_seconds: number;
  most_seconds: number;
}

/** When it is over whatever is left to do, in seconds after the first device may begin. */
export interface Limits {
  /** From then on no device begins; those in flight go on. */
  noneBegins?: number;
  /** From then on none goes on. */
  allEnd?: number;
}

/** A wave that changes devices. */
interface Worked {
  wave: Wave;
  /** Devices that have their turn: those that are skipped, too. */
  turns: number;
  size: number;
  /** Of them, those that are offline. */
  offline: number;
  times: WaveTimes;
  /** No other waits for it. */
  isLast: boolean;
}

/**
 * How long a rollout takes from its first device to its last, if each succeeds with its first try, and neither a person nor a window keeps it
 * waiting. Both bounds hold in whatever order the devices have their turn. `most`: what has its turn waits for a slot no longer than all work takes that
 * is shared by all slots, and then the slowest is the last (R. L. Graham, Bounds on Multiprocessing Timing Anomalies, 1969).
 */
export function durationOf(
  spec: Rollout,
  outlooks: readonly WaveOutlook[],
  { noneBegins = Infinity, allEnd = Infinity }: Limits = {},
): Duration {
  const waves = workedOf(spec, outlooks);
  // One whose devices may yet join goes on until none may begin.
  const isOpen = spec.membership === 'continuous';
  const inFlight = Math.max(0, ...waves.map(({ times }) => times.slowest));
  const least = Math.min(isOpen ? noneBegins : leastOf(spec, waves), noneBegins, allEnd);
  const most = Math.min(isOpen ? Infinity : mostOf(spec, waves), noneBegins + inFlight, allEnd);
  return { least_seconds: Math.floor(least * 10) / 10, most_seconds: Math.ceil(Math.max(least, most) * 10) / 10 };
}

function workedOf(spec: Rollout, outlooks: readonly WaveOutlook[]): Worked[] {
  const skips = spec.offline === 'skip';
  const longest = inProgressSeconds(spec);
  return (spec.waves ?? [{}])
    .map((wave, index) => ({ wave, ...outlooks[index]! }))
    .filter(({ size, offline }) => size > (skips ? offline : 0))
    .map(({ wave, size: turns, offline, times }, index, { length }) => {
      const size = skips ? turns - offline : turns;
      // A device that takes longer than it may has ended by then.
      const capped = times.map(({ least, most }) => ({ least: Math.min(least, longest), most }));
      const isLast = index === length - 1;
      return { wave, turns, size, offline: skips ? 0 : offline, times: new WaveTimes(capped, size), isLast };
    });
}

const slotsOf = ({ max_in_flight = MAX_IN_FLIGHT }: Rollout): number => max_in_flight;

/** Of `base` devices of a wave, those whose success the next one needs. */
const awaitedOf = ({ success_threshold = 100 }: Wave, base: number): number => needed(success_threshold, base);

/** Devices that are offline may end at any moment, and take no slot. */
function leastOf(spec: Rollout, waves: readonly Worked[]): number {
  const slots = slotsOf(spec);
  let seconds = 0;
  let work = 0;
  let succeeded = 0;
  for (const { wave, turns, size, offline, times, isLast } of waves) {
    const online = Math.max(1, size - offline);
    const awaited = isLast ? online : awaitedOf(wave, online);
    const isWhole = isLast || wave.success_threshold === undefined;
    const pace = { succeeded, each: times.fastest * 1000, paidUntil: null };
    const begun = lastBegins(spec, isWhole ? turns : awaited, pace) / 1000;
    // The last to have its turn may be away.
    const end = isWhole && turns > online ? begun : begun + times.fastest;
    seconds += Math.max(end, times.inTurn(awaited) / slots, times.atOnce(awaited));
    if (!isLast) seconds += wave.soak_seconds ?? 0;
    work += times.inTurn(online);
    succeeded += size;
  }
  return Math.max(seconds, work / slots);
}

/** Devices that are offline come back when their time to do so is almost over. */
function mostOf(spec: Rollout, waves: readonly Worked[]): number {
  let seconds = 0;
  let away = 0;
  let succeeded = 0;
  // What is left of earlier waves where it goes on beside the next one.
  let beside = { size: 0, slowest: 0 };
  for (const one of waves) {
    const { wave, turns, size, offline, times, isLast } = one;
    const crowd = { size: beside.size + size, slowest: Math.max(beside.slowest, times.slowest) };
    seconds += spanOf(spec, one, { turns, size, crowd, succeeded });
    const isAwaited = !isLast && offline > 0 && (spec.catch_up === false || offline >= size);
    if (isAwaited) seconds += returnOf(spec, one, offline, succeeded);
    else away += offline;
    if (!isLast) seconds += wave.soak_seconds ?? 0;
    beside = wave.success_threshold === undefined ? { size: 0, slowest: 0 } : crowd;
    succeeded += awaitedOf(wave, Math.max(1, size - offline));
  }
  if (away === 0) return seconds;
  const slowest = waves.reduce((most, one) => (one.times.slowest > most.times.slowest ? one : most));
  return seconds + returnOf(spec, slowest, away, succeeded);
}

/** Some devices of a wave, beside others. */
interface Crowded {
  turns: number;
  size: number;
  crowd: { size: number; slowest: number };
  /** Devices that have succeeded before. */
  succeeded: number;
}

/** What these devices take at most. */
function spanOf(spec: Rollout, { times, size: all }: Worked, { turns, size, crowd, succeeded }: Crowded): number {
  const slots = slotsOf(spec);
  // The first of a later wave may have to wait for its turn after the last of the wave before.
  const begins = succeeded > 0 ? turns + 1 : turns;
  const begun = lastBegins(spec, begins, { succeeded, each: times.usual * 1000, paidUntil: 0 }) / 1000;
  const queued = crowd.size > slots ? Math.max(0, (times.allInTurn * size) / all - crowd.slowest) / slots : 0;
  return begun + queued + crowd.slowest;
}

/** What so many devices take at most that are away at first. */
function returnOf(spec: Rollout, wave: Worked, size: number, succeeded: number): number {
  const crowd = { size, slowest: wave.times.slowest };
  return offlineSeconds(spec) + spanOf(spec, wave, { turns: size, size, crowd, succeeded });
}
