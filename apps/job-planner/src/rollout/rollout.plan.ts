import { DomainError, MAX_IN_FLIGHT } from '@muster/contracts';
import { Journal, type Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { v7 as uuid } from 'uuid';
import { passesOf } from './passes.js';
import { isOver, isStaged, mayBeginAtOnce } from './rollout.decide.js';
import { Families } from './families.js';
import type { Family, NewTarget, TargetPage } from './family.js';
import type { LockedRollout } from './locked-rollout.js';
import { noteBegun, request, underWay } from './rollout.ask.js';
import { RolloutEntity } from './rollout.entity.js';
import { RolloutStore } from './rollout.store.js';
import { RolloutSupersede } from './rollout.supersede.js';
import { makeWaves, noteInWaves } from './rollout.waves.js';
import { isOnDevices } from './rollout.windows.js';
import { want } from './rollout.wish.js';
import { placesOf } from './wave.gate.js';
import { FIRST_ASK_AT, TargetStore } from './target.store.js';
import { UNDER_WAY } from './target.table.js';

/** How long after a scan for devices that match by now the next one comes; longer where a scan takes long. */
const RESCAN_MS = 60_000;
const RESCAN_SHARE = 100;

/** Gives the devices of a rollout their parts, a page at a time. */
@Injectable()
export class RolloutPlan {
  constructor(
    private readonly dataSource: DataSource,
    private readonly journal: Journal,
    private readonly rollouts: RolloutStore,
    private readonly targets: TargetStore,
    private readonly families: Families,
    private readonly supersede: RolloutSupersede,
  ) {}

  /**
   * Plans the page after the rollout's cursor; nothing if somebody else has planned it, or the rollout is no longer to be planned. One whose
   * devices nobody can tell any more is cancelled.
   * @returns whether there was something to do.
   */
  async nextPage(project_id: string, id: string): Promise<boolean> {
    const rollout = await this.dataSource.getRepository(RolloutEntity).findOneBy({ project_id, id });
    if (!rollout || rollout.planned) return false;
    const family = this.families.of(rollout);
    // Asked before the transaction: no lock is held while another service thinks.
    const page = await find(family, rollout);
    if (!page) return false;
    if (!('fault' in page) && rollout.spec.supersedes) await this.takeOver(rollout, family, page.targets);
    await this.journal.transaction(project_id, async (tx) => {
      const locked = await this.rollouts.lock(tx, id);
      if (!locked || !isStillAt(locked, rollout)) return;
      if ('fault' in page) await giveUp(tx, locked, family, page.fault);
      else {
        await this.place(tx, locked, family, page.targets);
        if (page.last) await this.endPass(tx, locked, family);
        else locked.set({ plan_cursor: page.cursor });
      }
      await locked.save(tx);
    });
    return true;
  }

  /**
   * Takes the devices of a page over from other rollouts, those that are new to this one: one that looks for devices again must not take them
   * from whoever took them over since.
   */
  private async takeOver(rollout: RolloutEntity, family: Family, page: readonly NewTarget[]): Promise<void> {
    const { project_id, id } = rollout;
    const fresh = await this.journal.transaction(project_id, async (tx) => {
      const locked = await this.rollouts.lock(tx, id);
      return locked && isStillAt(locked, rollout) ? this.unplaced(tx, locked, family, page) : [];
    });
    await this.supersede.waiting(rollout, fresh);
  }

  /**
   * Further devices join a rollout that goes on, as part of its last wave: not before its waves are known, where the first to come are canaries.
   * @returns whether they do.
   */
  join(project_id: string, id: string, targets: readonly NewTarget[]): Promise<boolean> {
    return this.journal.transaction(project_id, async (tx) => {
      const rollout = await this.rollouts.lock(tx, id);
      if (!rollout || rollout.row.at_rest || rollout.row.wish !== 'run') return false;
      if (!rollout.row.planned && isStaged(rollout.row.spec)) return false;
      await this.place(tx, rollout, this.families.of(rollout.row), targets);
      await rollout.save(tx);
      return true;
    });
  }

  /** Gives the devices of a page their parts, in its order; the first of them under way already, as far as there are slots. */
  private async place(tx: Tx, rollout: LockedRollout, family: Family, page: readonly NewTarget[]): Promise<void> {
    const targets = await this.unplaced(tx, rollout, family, page);
    const starting = startsAtBirth(rollout, targets.length);
    const rows = this.rowsOf(rollout, targets.slice(0, starting));
    const started = await tx.create(
      family.table.states,
      { ...rows, command_id: rows.id.map(() => uuid()) },
      {
        through: ['Running'],
        compute: { ask_at: FIRST_ASK_AT, attempts: '1', releases: '1' },
        returning: [...UNDER_WAY, ...family.table.item],
      },
    );
    const waiting = await tx.create(family.table.states, this.rowsOf(rollout, targets.slice(starting), starting), {
      returning: ['timezone', ...family.table.item],
    });
    await family.placed(tx, rollout, [...started, ...waiting]);
    if (started.length > 0) await family.released(tx, rollout, started.map(underWay));
    request(tx, rollout, family, started.map(underWay));
    rollout.count({ pending: waiting.length, in_flight: started.length });
    const zones = rollout.row.spec.window ? targets.map(({ timezone }) => timezone) : [];
    const known = new Set(rollout.row.zones);
    if (zones.some((zone) => !known.has(zone))) rollout.set({ zones: [...new Set([...known, ...zones])] });
    rollout.set({ placed: rollout.row.placed + targets.length });
    growLastWave(rollout);
    if (started.length > 0) await noteBegun(tx, rollout, family);
  }

  /** Where a device may come up twice, those that have no part yet. */
  private async unplaced(
    tx: Tx,
    { row, id }: LockedRollout,
    family: Family,
    targets: readonly NewTarget[],
  ): Promise<readonly NewTarget[]> {
    const comesOnce = passesOf(row.spec).length === 1 && row.spec.membership !== 'continuous' && !family.repeats;
    if (row.placed === 0 || comesOnce) return targets;
    const placed = await this.targets.placed(
      tx,
      family.table,
      id,
      targets.map(({ target_id }) => target_id),
    );
    return targets.filter(({ target_id }) => !placed.has(target_id));
  }

  private rowsOf({ row }: LockedRollout, targets: readonly NewTarget[], after = 0) {
    const all = <T>(of: (target: NewTarget, index: number) => T): T[] => targets.map(of);
    const { owner } = this.families.of(row).table;
    const ofDevices = row.spec.window !== undefined && isOnDevices(row.spec);
    const names = Object.keys(targets[0]?.own ?? {});
    return {
      id: all(({ id }) => id ?? uuid()),
      [owner]: all(() => row.id),
      target_id: all(({ target_id }) => target_id),
      device_id: all(({ device_id }) => device_id),
      ...(isStaged(row.spec) && { place: all((_, index) => row.placed + after + index) }),
      ...(ofDevices && { timezone: all(({ timezone }) => timezone) }),
      ...(row.round > 0 && { round: all(() => row.round) }),
      ...Object.fromEntries(names.map((name) => [name, all(({ own }) => own[name])])),
    };
  }

  private async endPass(tx: Tx, rollout: LockedRollout, family: Family): Promise<void> {
    const { row } = rollout;
    const passes = passesOf(row.spec);
    const of = passes[row.pass];
    const begins = row.pass_from;
    if (of !== null && of !== undefined) {
      rollout.set({
        query_waves: { ...row.query_waves, [of]: { from: begins, to: row.placed } },
        pass: row.pass + 1,
        pass_from: row.placed,
        plan_cursor: '',
      });
      return;
    }
    rollout.set({ planned: true, plan_cursor: '' });
    const { waves } = row.spec;
    if (waves && row.waves.length === 0) {
      const placed = new Map(Object.entries(row.query_waves).map(([index, place]) => [Number(index), place]));
      makeWaves(rollout, placesOf(waves, placed, begins, row.placed));
      // Where there are several, none has begun; but some may be cancelled by now.
      if (waves.length > 1 && row.cancelled > 0)
        noteInWaves(rollout, await this.targets.stoppedPlaces(tx, family.table, rollout.id), 'left_out', 1);
    }
    if (row.spec.membership === 'continuous') {
      const took = rollout.now - (row.rescan_at?.getTime() ?? rollout.now);
      const next = rollout.now + Math.max(RESCAN_MS, RESCAN_SHARE * took);
      const ends = Date.parse(row.spec.end_at!);
      rollout.set({ rescan_at: new Date(Math.min(next, ends)) });
    }
  }
}

/** Whether the page is still to be planned that was found for `found`: nobody else has, and the rollout is to go on. */
const isStillAt = ({ row }: LockedRollout, found: RolloutEntity): boolean =>
  !row.planned &&
  row.pass === found.pass &&
  row.plan_cursor === found.plan_cursor &&
  row.wish === 'run' &&
  !row.at_rest;

/** A query that was sound may be so no longer: what it names may be gone. `fault`: why no further page can be told. */
async function find(family: Family, rollout: RolloutEntity): Promise<TargetPage | { fault: string } | undefined> {
  try {
    return await family.page(rollout);
  } catch (error) {
    if (error instanceof DomainError && error.kind === 'invalid') return { fault: error.message };
    throw error;
  }
}

/** What has begun ends as by a cancel. */
async function giveUp(tx: Tx, rollout: LockedRollout, family: Family, fault: string): Promise<void> {
  want(rollout, 'cancel', `its devices cannot be told: ${fault}`);
  await family.stopping(tx, rollout);
}

/** Who joins later is part of the last wave. */
function growLastWave(rollout: LockedRollout): void {
  const { waves, placed } = rollout.row;
  if (waves.length > 0)
    rollout.set({ waves: waves.map((wave, at) => (at === waves.length - 1 ? { ...wave, to: placed } : wave)) });
}

/**
 * How many of `created` parts begin as they are made: as many as there are slots for, unless older ones wait or the rollout is not to go on. Much may
 * have happened since the page was asked for.
 */
function startsAtBirth({ row, now }: LockedRollout, created: number): number {
  if (!mayBeginAtOnce(row.spec) || row.reopening || row.pending > 0 || isOver({ ...row, now })) return 0;
  return Math.max(0, Math.min((row.spec.max_in_flight ?? MAX_IN_FLIGHT) - row.in_flight, created));
}
