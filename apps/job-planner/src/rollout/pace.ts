import { MOST_RATE_PER_MINUTE, type Rollout } from '@muster/contracts';

const MINUTE_MS = 60_000;

/**
 * Devices a minute that may begin now, or undefined where there is no limit: the ramp, below the constant rate where both are given, and always a
 * number, however far the ramp has grown.
 */
export function ratePerMinute({ rate_per_minute, ramp }: Rollout, succeeded: number): number | undefined {
  if (!ramp) return rate_per_minute;
  const steps = Math.floor(succeeded / ramp.after_succeeded);
  return Math.min(ramp.base * ramp.factor ** steps, rate_per_minute ?? MOST_RATE_PER_MINUTE);
}

/** How far a rollout is whose rate is asked about. */
export interface Paced {
  /** Devices that have succeeded before. */
  succeeded: number;
  /** Milliseconds from the beginning of a device to its success. */
  each: number;
  /** As in {@link allowance}; 0 where nothing may begin at once beyond the first device. */
  paidUntil: number | null;
}

/** Milliseconds until the last of `count` devices begins, if the rate alone keeps them back and each succeeds. */
export function lastBegins(spec: Rollout, count: number, { succeeded, each, paidUntil }: Paced): number {
  const highest = highestRate(spec);
  if (highest === undefined || count === 0) return 0;
  const begun: number[] = [];
  let done = 0;
  for (let now = 0, paid = paidUntil; ;) {
    while (done < begun.length && begun[done]! + each <= now) done++;
    const rate = ratePerMinute(spec, succeeded + done)!;
    const allowed = allowance(rate, paid, now);
    const taken = Math.min(allowed.count, count - begun.length);
    for (let one = 0; one < taken; one++) begun.push(now);
    paid = allowed.paidUntil(taken);
    const left = count - begun.length;
    if (left === 0) return now;
    // It rises no more: the others follow one after the other.
    if (rate >= highest) return paid + ((left - 1) * MINUTE_MS) / rate;
    now = paid;
  }
}

/** The rate that a rollout comes to in time. */
const highestRate = ({ rate_per_minute, ramp }: Rollout): number | undefined =>
  ramp?.factor === 1
    ? Math.min(ramp.base, rate_per_minute ?? MOST_RATE_PER_MINUTE)
    : (rate_per_minute ?? (ramp && MOST_RATE_PER_MINUTE));

/** What a rate lets begin. Times in epoch milliseconds. */
export interface Allowance {
  count: number;
  /** Up to when the rate is used up if `taken` of them begin. */
  paidUntil: (taken: number) => number;
}

/**
 * How many may begin at `now` when the rate was used up until `paidUntil` (generic cell rate algorithm): what a second lets pass may begin at
 * once, and at least one, so that what is not used for longer is lost and not saved up.
 */
export function allowance(perMinute: number, paidUntil: number | null, now: number): Allowance {
  const interval = MINUTE_MS / perMinute;
  const burst = Math.max(1, Math.floor(perMinute / 60));
  const from = Math.max(paidUntil ?? -Infinity, now - (burst - 1) * interval);
  const count = from > now ? 0 : Math.floor((now - from) / interval + 1e-9) + 1;
  return { count, paidUntil: (taken) => from + taken * interval };
}
