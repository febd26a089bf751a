import type { Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { Families } from './families.js';
import type { LockedRollout } from './locked-rollout.js';
import { cancel, underWay } from './rollout.ask.js';
import { noteInWaves } from './rollout.waves.js';
import { addTo, endsAs, RAN_OUT, STATE_OF, type DeviceEnd, type Tally } from './tally.js';
import { FIRST_ASK_AT, TargetStore } from './target.store.js';

/** Ends devices without their own doing, and lets ended ones begin again. */
@Injectable()
export class RolloutStop {
  constructor(
    private readonly targets: TargetStore,
    private readonly families: Families,
  ) {}

  /** Some that have not begun never do. */
  async stopPending(tx: Tx, rollout: LockedRollout): Promise<void> {
    const parts = await this.waiting(tx, rollout);
    const ids = parts.map(({ id }) => id);
    await this.endParts(tx, rollout, ids, 'cancelled', rollout.row.reason);
  }

  /** The time of the rollout is up for some that have not begun; those that were tried came to what that try did. */
  async expire(tx: Tx, rollout: LockedRollout): Promise<void> {
    const { planned, rescan_at } = rollout.row;
    // Who would only have joined is missed by nobody.
    if (!planned && rescan_at === null) rollout.set({ cut: true });
    rollout.set({ planned: true, rescan_at: null });
    const parts = await this.waiting(tx, rollout);
    for (const [end, some] of Map.groupBy(parts, ({ tried }) => tried ?? 'never_contacted')) {
      const ids = some.map(({ id }) => id);
      await this.endParts(tx, rollout, ids, end, RAN_OUT);
    }
  }

  /** Some that have not begun. Where there are none the counts are set right: a step that does nothing would be the next one again, for ever. */
  private async waiting(tx: Tx, rollout: LockedRollout) {
    const { row, id } = rollout;
    const family = this.families.of(row);
    const parts = await this.targets.waiting(tx, family.table, id, family.partsAtOnce(row));
    if (parts.length === 0) rollout.set({ pending: 0, offline: 0 });
    return parts;
  }

  /** Ends those of these parts that have not begun; the commands of devices that are offline are cancelled. */
  async endParts(
    tx: Tx,
    rollout: LockedRollout,
    ids: readonly string[],
    end: DeviceEnd,
    reason: string,
  ): Promise<number> {
    const family = this.families.of(rollout.row);
    const { table } = family;
    const moved = await tx.transition(table.states, STATE_OF[end], {
      ids,
      from: ['Waiting'],
      set: { reason, outcome: end },
      returning: ['waits_for', 'place', 'command_id', ...table.item],
    });
    const rows = moved.map(({ id, row }) => ({ id, ...row }) as WaitingPart);
    const offline = rows.filter((row) => row.waits_for === 'offline');
    rollout.count({ pending: offline.length - rows.length, offline: -offline.length, ...endsAs(end, rows.length) });
    noteInWaves(rollout, offline.map(placeOf), 'offline', -1);
    noteInWaves(rollout, rows.map(placeOf), end === 'cancelled' ? 'left_out' : 'lost', 1);
    const held = moved.filter(({ row }) => row['command_id'] !== null).map(underWay);
    cancel(tx, rollout, family, held, { reason });
    await family.finished(
      tx,
      rollout,
      moved.map(({ id }) => ({ id, end, reason })),
    );
    return rows.length;
  }

  /** The commands of some that are under way are cancelled. */
  async stopInFlight(tx: Tx, rollout: LockedRollout): Promise<void> {
    const { row, id } = rollout;
    const family = this.families.of(row);
    const ids = await this.targets.running(tx, family.table, id, family.partsAtOnce(row));
    // As with those that have not begun.
    if (ids.length === 0) rollout.set({ in_flight: rollout.row.stopping });
    await this.cancelParts(tx, rollout, ids, rollout.row.reason);
  }

  /** The commands of these parts are cancelled, of those that are under way. */
  async cancelParts(tx: Tx, rollout: LockedRollout, ids: readonly string[], reason: string): Promise<void> {
    const family = this.families.of(rollout.row);
    const moved = await tx.transition(family.table.states, 'Stopping', {
      ids,
      set: { reason, asks: 0, waits_for: '' },
      compute: { ask_at: FIRST_ASK_AT },
      returning: ['command_id', ...family.table.item],
    });
    cancel(tx, rollout, family, moved.map(underWay), { reason });
    rollout.count({ stopping: moved.length });
  }

  /** Some that ended without success are to begin again. */
  async reopen(tx: Tx, rollout: LockedRollout): Promise<void> {
    const { row, id } = rollout;
    const family = this.families.of(row);
    const { table } = family;
    const { round } = row;
    const ids = await this.targets.reopenable(tx, table, id, round, family.partsAtOnce(row));
    if (ids.length === 0) {
      rollout.set({ reopening: false, baseline: rollout.tally() });
      return;
    }
    const moved = await tx.transition(table.states, 'Waiting', {
      ids,
      from: ['Failed', 'Timed_out', 'Stopped'],
      set: { round, command_id: null, attempts: 0, waits_for: '', contact_by: null },
      returning: ['outcome', 'place'],
    });
    const changes: Partial<Tally> = { pending: moved.length };
    for (const { row } of moved) addTo(changes, negative(endsAs(row['outcome'] as DeviceEnd, 1)));
    rollout.count(changes);
    const places = (which: (end: DeviceEnd) => boolean) =>
      moved.filter(({ row }) => which(row['outcome'] as DeviceEnd)).map(({ row }) => row['place'] as number);
    noteInWaves(
      rollout,
      places((end) => end === 'cancelled'),
      'left_out',
      -1,
    );
    noteInWaves(
      rollout,
      places((end) => end !== 'cancelled'),
      'lost',
      -1,
    );
  }
}

interface WaitingPart {
  id: string;
  waits_for: string;
  place: number;
  command_id: string | null;
}

const placeOf = ({ place }: { place: number }): number => place;

const negative = (change: Partial<Tally>): Partial<Tally> =>
  Object.fromEntries(Object.entries(change).map(([name, by]) => [name, -by]));
