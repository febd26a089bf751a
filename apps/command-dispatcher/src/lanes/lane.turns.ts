import type { Tx } from '@muster/journal';
import { LOGGER, type Logger } from '@muster/service';
import { Inject, Injectable } from '@nestjs/common';
import { CommandJournal } from '../commands/command.journal.js';
import { LaneStore, type DueOnLane } from './lane.store.js';

/** SQLSTATE of a statement that took longer than it may. */
const QUERY_CANCELED = '57014';
/** So long a sweep waits for lanes; whoever needs one of those that it has meanwhile waits with it. */
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
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Works on what is due, in transactions that have its lanes. `work` gets whether the devices are online, of each whose lane it has.
   * @returns how many of `due` got their turn.
   */
  async take<Due extends DueOnLane>(
    due: readonly Due[],
    work: (tx: Tx, due: Due[], online: Map<string, boolean>) => Promise<void>,
  ): Promise<number> {
    const passedBy: Due[] = [];
    for (const [project, own] of Map.groupBy(due, (one) => one.project_id)) {
      await this.journal.transaction(project, async (tx) => {
        const online = await this.lanes.lockFree(tx, devicesOf(own));
        const { free = [], held = [] } = Object.groupBy(own, (one) => (online.has(one.device_id) ? 'free' : 'held'));
        passedBy.push(...held);
        if (free.length > 0) await work(tx, free, online);
      });
    }
    let taken = due.length - passedBy.length;
    const late = passedBy.filter((one) => one.late);
    for (const [project, own] of Map.groupBy(late, (one) => one.project_id))
      if (await this.inLine(project, devicesOf(own), (tx, online) => work(tx, own, online))) taken += own.length;
    return taken;
  }

  /** @returns whether it got the lanes. Not when one is held for too long: its own command waits for its holder's end, and others are not to wait with it. */
  private async inLine(
    project: string,
    deviceIds: readonly string[],
    work: (tx: Tx, online: Map<string, boolean>) => Promise<void>,
  ): Promise<boolean> {
    let hasLanes = false;
    try {
      await this.journal.transaction(project, async (tx) => {
        await tx.query(`SET LOCAL statement_timeout = ${WAIT_MS}`);
        const online = await this.lanes.lock(tx, deviceIds);
        hasLanes = true;
        await tx.query('SET LOCAL statement_timeout TO DEFAULT');
        await work(tx, online);
      });
    } catch (error) {
      if (hasLanes || (error as { code?: unknown }).code !== QUERY_CANCELED) throw error;
      this.logger.warn(
        { project_id: project, lanes: deviceIds.length },
        'lanes of late commands are held for too long',
      );
    }
    return hasLanes;
  }
}

const devicesOf = (due: readonly DueOnLane[]) => [...new Set(due.map((one) => one.device_id))];
