import type { StopRule } from '@muster/contracts';
import { contacted, EMPTY_TALLY, finished, since, targeted, type Tally } from './tally.js';

/**
 * The first rule that says stop, by its place; undefined when none does. Devices count, never attempts; one that was never contacted counts
 * nowhere but among the targeted, for nothing was done to it. What had happened by `baseline`, when somebody let the rollout go on, has been
 * judged.
 */
export function firedRule(
  rules: readonly StopRule[],
  tally: Tally,
  baseline: Tally | null,
  actions?: readonly StopRule['action'][],
): number | undefined {
  const now = baseline ? since(tally, baseline) : tally;
  const fired = rules.findIndex(
    (rule) => (actions?.includes(rule.action) ?? true) && fires(rule, now, targeted(tally)),
  );
  return fired < 0 ? undefined : fired;
}

function fires(
  { base = 'finished', outcome = 'any', percent, count, min_finished = 1 }: StopRule,
  now: Tally,
  all: number,
): boolean {
  const bad = badOf(outcome, now);
  if (count !== undefined) return bad >= count;
  const judged = finished(now) - now.never_contacted;
  if (bad === 0 || judged < min_finished) return false;
  const of = { targeted: all, contacted: contacted(now), finished: judged }[base];
  return bad * 100 >= percent! * of;
}

function badOf(outcome: NonNullable<StopRule['outcome']>, tally: Tally): number {
  const timedOut = tally.timed_out - tally.never_contacted;
  const bad = { failed: tally.failed, rejected: tally.rejected, timed_out: timedOut };
  return outcome === 'any' ? bad.failed + bad.rejected + bad.timed_out + tally.unknown : bad[outcome];
}

const OUTCOMES: Readonly<Record<NonNullable<StopRule['outcome']>, string>> = {
  failed: 'failed',
  timed_out: 'timed out',
  rejected: 'refused',
  any: 'did not succeed',
};

/** A rule in words: `2 % of the finished devices failed`. */
export function ruleInWords({ base = 'finished', outcome = 'any', percent, count }: StopRule): string {
  const what = OUTCOMES[outcome];
  return count === undefined
    ? `${percent} % of the ${base} devices ${what}`
    : `${count} ${count === 1 ? 'device' : 'devices'} ${what}`;
}

/**
 * How many devices must go wrong, one after another, until the rule stops the rollout, when `good` finished well before and up to `slots` more
 * are under way; at most `left` can. Undefined when all of them may go wrong and it still does not.
 */
export function badUntilFired(rule: StopRule, good: number, left: number, slots: number): number | undefined {
  const { outcome = 'any' } = rule;
  const firesAfter = (bad: number) => {
    const in_flight = Math.min(slots, left - bad);
    const pending = left - bad - in_flight;
    const tally = {
      ...EMPTY_TALLY,
      succeeded: good,
      in_flight,
      pending,
      [outcome === 'any' ? 'failed' : outcome]: bad,
    };
    return fires(rule, tally, good + left);
  };
  // More that go wrong never keep a rule from firing, so the border is found by halving.
  if (!firesAfter(left)) return undefined;
  let [low, high] = [1, left];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (firesAfter(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
