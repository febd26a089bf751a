import { expect, it } from 'vitest';
import { LockedRollout } from './locked-rollout.js';
import type { RolloutEntity } from './rollout.entity.js';
import { want } from './rollout.wish.js';

it.each(['pause', 'cancel', 'rollback'] as const)(
  'given a rollout in a soak of which a %s is wanted, then from that moment it waits for what is in flight',
  (wish) => {
    const now = Date.parse('2026-11-22T12:00:00Z');
    const row = { wish: 'run', waits_for: 'soak', waits_until: new Date(now + 3_600_000) } as RolloutEntity;
    want(new LockedRollout(row, now), wish, 'paused');
    expect(row).toMatchObject({ wish, waits_for: 'in_flight', waits_until: null, due_at: new Date(now) });
  },
);
