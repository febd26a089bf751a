import type { RetryRule } from '@muster/contracts';

/** A rule for trying again (rollout.md, `retry`), by whatever words its user has for outcomes; `any` stands for each of them. */
export type PauseRule = Omit<RetryRule, 'outcome'> & { outcome: string };

/** What became of an attempt. */
export interface AttemptOutcome {
  outcome: string;
  code: string;
  /** How many attempts there were with this one. */
  attempt: number;
}

const DEFAULT_BACKOFF_SECONDS = 10;
const DEFAULT_FACTOR = 2;
const LONGEST_SECONDS = 2_592_000;

/**
 * The pause before the next attempt, in milliseconds; undefined when there is none. The first rule that fits decides, and its `max` counts every
 * attempt after the first, whatever that one failed of.
 * @param random from 0 on, below 1: where in the rule's jitter the pause lies
 */
export function retryPause(rules: readonly PauseRule[], failed: AttemptOutcome, random: number): number | undefined {
  const rule = rules.find((one) => fits(one, failed));
  const retries = failed.attempt - 1;
  if (!rule || retries >= rule.max) return undefined;
  const { backoff_seconds = DEFAULT_BACKOFF_SECONDS, factor = DEFAULT_FACTOR, jitter = 0 } = rule;
  const seconds = Math.min(backoff_seconds * factor ** retries, LONGEST_SECONDS);
  return Math.round(seconds * (1 + jitter * (2 * random - 1)) * 1000);
}

const fits = ({ outcome, code }: PauseRule, failed: AttemptOutcome): boolean =>
  (outcome === 'any' || outcome === failed.outcome) && (code === undefined || code === failed.code);
