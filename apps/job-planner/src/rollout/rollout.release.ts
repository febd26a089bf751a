import type { JsonObject } from '@muster/contracts';
import type { Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { v7 as uuid } from 'uuid';
import { Families } from './families.js';
import type { LockedRollout } from './locked-rollout.js';
import { noteBegun, offlineSeconds, request, underWay } from './rollout.ask.js';
import { openZones, windowsOf } from './rollout.windows.js';
import { FIRST_ASK_AT, TargetStore } from './target.store.js';
import { UNDER_WAY } from './target.table.js';

/** How many may begin, and up to when the rate is used up by those that do. */
interface Allowed {
  count: number;
  paidUntil?: (taken: number) => number;
}

/** Lets devices begin. */
@Injectable()
export class RolloutRelease {
  constructor(
    private readonly targets: TargetStore,
    private readonly families: Families,
  ) {}

  /** The parts of the devices that are next. */
  next(tx: Tx, { row, now }: LockedRollout, count: number): Promise<string[]> {
    return this.targets.releasable(tx, this.families.of(row).table, row.id, {
      count,
      ranges: row.waves.length > 1 ? row.waves.filter(({ began_at }) => began_at !== null) : null,
      zones: openZones(row.spec, windowsOf(row, now)),
    });
  }

  /**
   * Lets the next devices begin: of those, where `before` is given, the ones of which it tells what they have.
   * @returns how many did.
   */
  async release(
    tx: Tx,
    rollout: LockedRollout,
    { count, paidUntil }: Allowed,
    before?: ReadonlyMap<string, JsonObject>,
  ): Promise<number> {
    const { row, now } = rollout;
    const family = this.families.of(row);
    const next = await this.next(tx, rollout, count);
    const ids = before ? next.filter((id) => before.has(id)) : next;
    const { open } = windowsOf(row, now);
    const moved = await tx.transition(family.table.states, 'Running', {
      ids,
      from: ['Waiting'],
      given: {
        fresh: { type: 'uuid', values: ids.map(() => uuid()) },
        ...(before && { before: { type: 'jsonb', values: ids.map((id) => before.get(id)) } }),
      },
      set: { asks: 0, waits_for: '' },
      compute: {
        // A command that was held goes on; whoever is tried again has none.
        command_id: 'coalesce(t.command_id, i.fresh)',
        attempts: 't.attempts + (t.command_id IS NULL)::integer',
        releases: 't.releases + 1',
        ask_at: FIRST_ASK_AT,
        // What a device has after a try that came to nothing may be half of what that was to make of it.
        ...(before && { before: 'CASE WHEN t.sent THEN t.before ELSE i.before::jsonb END' }),
        ...(open && { contact_by: `coalesce(t.contact_by, now() + interval '${offlineSeconds(row.spec)} seconds')` }),
      },
      returning: [...UNDER_WAY, ...family.table.item],
    });
    request(tx, rollout, family, moved.map(underWay));
    if (moved.length > 0) await family.released(tx, rollout, moved.map(underWay));
    rollout.count({ pending: -moved.length, in_flight: moved.length });
    if (paidUntil) rollout.set({ paid_until: new Date(paidUntil(moved.length)) });
    if (moved.length > 0) await noteBegun(tx, rollout, family);
    return moved.length;
  }
}
