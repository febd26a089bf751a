import { LAST_TIME, MAX_IN_FLIGHT, type Progress, type RolloutCounts } from '@muster/contracts';
import { quantile } from './durations.js';
import { ratePerMinute } from './pace.js';
import { offlineSeconds } from './rollout.ask.js';
import type { RolloutEntity } from './rollout.entity.js';
import { ended, open, targeted, type Tally } from './tally.js';
import { sizeOf, type WaveState } from './wave.gate.js';

/** How long an end counts for the rate of a rollout: after so many seconds a third of it is left. */
const MEMORY_SECONDS = 10;
/** How far the time that is left may be off what the rate of late says. */
const RATE_OFF = { least: 0.75, most: 1.5 };

/** The columns of a rollout that its progress follows from; what its devices are told, which may be large, is not among them. */
export const WATCHED = {
  id: true,
  spec: true,
  wish: true,
  at_rest: true,
  waits_for: true,
  waves: true,
  wave: true,
  durations: true,
  held_at: true,
  recent: true,
  recent_at: true,
  pending: true,
  offline: true,
  in_flight: true,
  stopping: true,
  succeeded: true,
  failed: true,
  timed_out: true,
  never_contacted: true,
  rejected: true,
  unknown: true,
  cancelled: true,
} as const satisfies Partial<Record<keyof RolloutEntity, true>> & Record<keyof Tally, true>;

export type Watched = Pick<RolloutEntity, keyof typeof WATCHED>;

/** Devices that ended of late, with so many more at `now` (epoch milliseconds). */
export function recentWith(
  { recent, recent_at }: Pick<Watched, 'recent' | 'recent_at'>,
  more: number,
  now: number,
): number {
  const seconds = recent_at ? Math.max(0, now - recent_at.getTime()) / 1000 : 0;
  return recent * Math.exp(-seconds / MEMORY_SECONDS) + more;
}

export function countsOf(tally: Tally): RolloutCounts {
  const { pending, in_flight, succeeded, failed, timed_out, rejected, cancelled, unknown, offline } = tally;
  const targets = targeted(tally);
  return { targeted: targets, pending, in_flight, succeeded, failed, timed_out, rejected, cancelled, unknown, offline };
}

/** The progress of a rollout at `now`, epoch milliseconds (rollout.md, "Watch"). */
export function progressOf(rollout: Watched, now: number): Progress {
  const counts = countsOf(rollout);
  const rate = rollout.at_rest ? 0 : recentWith(rollout, 0, now) / MEMORY_SECONDS;
  return {
    ...counts,
    percent: counts.targeted === 0 ? 0 : Math.floor((ended(rollout) * 1000) / counts.targeted) / 10,
    rate_per_second: Math.round(rate * 10) / 10,
    eta: etaOf(rollout, rate, now),
    wave: rollout.waves.length > 1 ? { number: rollout.wave + 1, of: rollout.waves.length } : null,
    waiting_for: rollout.at_rest ? null : rollout.waits_for,
  };
}

/**
 * Between when and when the rollout may end, after what was seen of it: the time that devices took, the ends of late, its rate and the soaks to
 * come. Null before a device has succeeded, while it depends on a person or a window, and once it is being paused or stopped.
 */
function etaOf(rollout: Watched, perSecond: number, now: number): Progress['eta'] {
  const { spec, durations, waves } = rollout;
  const left = open(rollout) - rollout.offline;
  const fast = quantile(durations, 0.25);
  const slow = quantile(durations, 0.9);
  const isOpenEnded = spec.membership === 'continuous' || spec.window !== undefined;
  const asks = (spec.waves ?? []).some(({ approval }, index) => approval === true && isToBegin(waves[index]));
  const isStopping = rollout.at_rest || rollout.wish !== 'run';
  if (isStopping || open(rollout) === 0 || isOpenEnded || asks || fast === undefined || slow === undefined) return null;
  const rounds = Math.ceil(left / Math.max(1, Math.min(left, spec.max_in_flight ?? MAX_IN_FLIGHT)));
  const byRate = (ratePerMinute(spec, rollout.succeeded) ?? Infinity) / 60;
  const paced = Number.isFinite(byRate) ? left / byRate : 0;
  const soaks = soaksLeft(rollout, now);
  // What ended longer ago says nothing of how fast the rest will: they may wait for a soak, for another try, or for each other.
  const seen = perSecond * MEMORY_SECONDS >= 1 ? left / perSecond : undefined;
  const least = Math.min((rounds * fast) / 2, (seen ?? Infinity) * RATE_OFF.least);
  const most = Math.max(rounds * slow, (seen ?? 0) * RATE_OFF.most);
  const untilOffline =
    rollout.offline > 0 && rollout.held_at ? rollout.held_at.getTime() + offlineSeconds(spec) * 1000 : -Infinity;
  return {
    earliest: isoAt(now + (Math.max(least, paced) + soaks) * 1000),
    latest: isoAt(Math.max(now + (Math.max(most, paced) + soaks) * 1000, untilOffline)),
  };
}

/** Whether devices of a wave are still to have their turn; not made yet, it has some. */
const isToBegin = (wave: WaveState | undefined): boolean => !wave || (wave.began_at === null && sizeOf(wave) > 0);

/** Seconds of the soaks to come; of the one that goes on what is left of it. */
function soaksLeft({ spec, waves, wave }: Watched, now: number): number {
  const passed = waves[wave]?.passed_at;
  return (spec.waves ?? []).slice(wave, waves.length - 1).reduce((sum, { soak_seconds = 0 }, index) => {
    if (sizeOf(waves[wave + index]!) === 0) return sum;
    const gone = index === 0 && passed != null ? (now - passed) / 1000 : 0;
    return sum + Math.max(0, soak_seconds - gone);
  }, 0);
}

const isoAt = (time: number): string => new Date(Math.min(time, LAST_TIME)).toISOString();
