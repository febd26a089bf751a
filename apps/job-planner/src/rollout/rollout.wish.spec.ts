import { describe, expect, it } from 'vitest';
import { LockedRollout } from './locked-rollout.js';
import type { RolloutEntity } from './rollout.entity.js';
import { tryAgain, want } from './rollout.wish.js';
import { firedRule } from './stop.rules.js';
import { EMPTY_TALLY } from './tally.js';

const NOON = Date.parse('2026-11-22T12:00:00Z');

it.each(['pause', 'cancel', 'rollback'] as const)(
  'given a rollout in a soak of which a %s is wanted, then from that moment it waits for what is in flight',
  (wish) => {
    const row = { wish: 'run', waits_for: 'soak', waits_until: new Date(NOON + 3_600_000) } as RolloutEntity;
    want(new LockedRollout(row, NOON), wish, 'paused');
    expect(row).toMatchObject({ wish, waits_for: 'in_flight', waits_until: null, due_at: new Date(NOON) });
  },
);

describe('the retry of a rollout by a user', () => {
  const ended = { ...EMPTY_TALLY, failed: 900, rejected: 100 };
  const rollout = () => new LockedRollout({ ...ended, round: 0, retries: 7, waves: [], baseline: null } as never, NOON);

  it('given that those that failed are reopened before those that refused, then no rule takes the share of these for grown', () => {
    const retried = rollout();
    tryAgain(retried);
    retried.count({ failed: -500, pending: 500 });
    const rules = [{ outcome: 'rejected' as const, percent: 15, action: 'pause' as const }];
    expect(firedRule(rules, retried.tally(), null)).toBe(0);
    expect(firedRule(rules, retried.tally(), retried.row.baseline)).toBeUndefined();
  });

  it('given retries by rules, then it leaves their number alone', () => {
    const retried = rollout();
    tryAgain(retried);
    expect(retried.row).toMatchObject({ reopening: true, round: 1, retries: 7 } satisfies Partial<RolloutEntity>);
  });
});
