import type { Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { CommandJournal } from '../commands/command.journal.js';
import { LaneStore, type DueOnLane } from './lane.store.js';

/** So long a lane that its holder does not let go keeps the sweep from all the others. */
const WAIT_MS = 2_000;

/**
 * Gives the sweeps their turn on the lanes. They leave lanes alone that somebody is at work on, another replica's sweep among them; but in a
 * busy fleet a lane may be in somebody's batch at each moment at which it is looked at, so for what is late they wait in line.
 */
@Injectable()
export class LaneTurns {
  constructor(
    private readonly journal: CommandJournal,
    private readonly lanes: LaneStore,
  ) {}

  /**
   * Works on what is due, in transactions that have its lanes. `work` gets whether the devices are online, of each whose lane it has.
   * @returns how many of `due` got their turn.
   * @throws the database's error when a lane is held for too long; the others have had their turn.
   */
  async take<Due extends DueOnLane>(
    due: readonly Due[],
    work: (tx: Tx, due: Due[], online: Map<string, boolean>) => Promise<void>,
  ): Promise<number> {
    const passedBy: Due[] = [];
    for (const [project, own] of Map.groupBy(due, (one) => one.project_id)) {
      await this.journal.transaction(project, async (tx) => {
        const online = await this.lanes.lockFree(tx, devicesOf(own));
        passedBy.push(...own.filter((one) => !online.has(one.device_id)));
        await work(
          tx,
          own.filter((one) => online.has(one.device_id)),
          online,
        );
      });
    }
    const late = passedBy.filter((one) => one.late);
    for (const [project, own] of Map.groupBy(late, (one) => one.project_id)) {
      await this.journal.transaction(project, async (tx) => {
        await tx.query(`SET LOCAL lock_timeout = ${WAIT_MS}`, []);
        await work(tx, own, await this.lanes.lock(tx, devicesOf(own)));
      });
    }
    return due.length - passedBy.length + late.length;
  }
}

const devicesOf = (due: readonly DueOnLane[]) => [...new Set(due.map((one) => one.device_id))];
