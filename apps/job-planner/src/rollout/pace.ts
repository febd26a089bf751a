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
