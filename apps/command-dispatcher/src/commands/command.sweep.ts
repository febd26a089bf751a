import type { Tx } from '@muster/journal';
import { LOGGER, Loop, type Logger } from '@muster/service';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { CommandJournal } from './command.journal.js';
import { LaneStore } from '../lanes/lane.store.js';
import { CommandEnd, ENDED_COLUMNS, toEnded, type Ended } from './command.end.js';
import { IN_FLIGHT } from './command.lifecycle.js';
import { CommandRetry } from './command.retry.js';
import { CommandSchedule } from './command.schedule.js';
import { CommandSender } from './command.sender.js';
import { CommandStore, type CommandOfDevice } from './command.store.js';
import { commandTable } from './command.table.js';
import { judgeDue, type DueStep } from './due.judge.js';
import { StatusLag } from './status.lag.js';

const EVERY_MS = 500;
const LIMIT = 500;
/** What was passed by for so long is waited for. */
const LATE_SECONDS = 1;
/** Longer than those who are at work on a lane take, one after another; shorter than a process that hangs with one holds it. */
const WAIT_MS = 2_000;
const TOO_LONG = { reason: 'no result before the deadline', code: 'in_progress_timeout' };

/** Locks lanes of these devices; gives whether the devices whose lanes it got are online. */
type LockLanes = (tx: Tx, deviceIds: readonly string[]) => Promise<Map<string, boolean>>;

/**
 * Looks at the commands whose time has come: ends those that took too long, opens windows, and sends again what nobody answered. It leaves
 * lanes alone that somebody is at work on, another replica's sweep among them. In a busy fleet a lane may be in somebody's batch whenever it is
 * looked at, so a second loop waits in line for the lanes of what was passed by, one at a time, while the first goes on with the rest.
 */
@Injectable()
export class CommandSweep implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly loops: Loop[];

  constructor(
    private readonly journal: CommandJournal,
    private readonly store: CommandStore,
    private readonly lanes: LaneStore,
    private readonly end: CommandEnd,
    private readonly retry: CommandRetry,
    private readonly schedule: CommandSchedule,
    private readonly sender: CommandSender,
    private readonly lag: StatusLag,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.loops = [
      new Loop('command sweep', EVERY_MS, () => this.step(), logger),
      new Loop('late command sweep', EVERY_MS, () => this.stepLate(), logger),
    ];
  }

  onApplicationBootstrap(): void {
    for (const loop of this.loops) loop.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all(this.loops.map((loop) => loop.stop()));
  }

  /** @returns whether there may be more that is due. */
  async step(): Promise<boolean> {
    const due = await this.store.due(LIMIT);
    const taken = await this.sweep(due, (tx, deviceIds) => this.lanes.lockFree(tx, deviceIds));
    return due.length === LIMIT && taken > 0;
  }

  private async stepLate(): Promise<boolean> {
    const late = await this.store.due(LIMIT, LATE_SECONDS);
    const taken = await this.sweep(late, (tx, deviceIds) => {
      // Any of them: the first one may be held by a process that hangs, and replicas should wait for different ones.
      const first = deviceIds[Math.floor(Math.random() * deviceIds.length)]!;
      return this.lanes.lockInLine(tx, WAIT_MS, first, deviceIds);
    });
    return taken > 0 && taken < late.length;
  }

  /** @returns with how many commands something was done. */
  private async sweep(due: readonly CommandOfDevice[], lock: LockLanes): Promise<number> {
    if (due.length === 0) return 0;
    const isBehind = await this.lag.isBehind();
    let taken = 0;
    for (const [project, commands] of Map.groupBy(due, (command) => command.project_id)) {
      taken += await this.journal.transaction(project, async (tx) => {
        const lanes = await lock(tx, [...new Set(commands.map((command) => command.device_id))]);
        return this.apply(tx, commands, lanes, isBehind);
      });
    }
    return taken;
  }

  /** @returns with how many commands something was done: `lanes` has those whose devices' lanes are locked. */
  private async apply(
    tx: Tx,
    due: readonly CommandOfDevice[],
    lanes: ReadonlyMap<string, boolean>,
    isBehind: boolean,
  ): Promise<number> {
    const commands = due.filter((command) => lanes.has(command.device_id));
    const judged = await this.store.judged(
      tx,
      commands.map((command) => command.id),
    );
    const steps = Map.groupBy(judged, judgeDue);
    const idsOf = (step: DueStep) => (steps.get(step) ?? []).map((command) => command.id);
    const tooLong = steps.get('too_long') ?? [];
    const [tried, once] = [tooLong.filter((command) => command.retries), tooLong.filter((command) => !command.retries)];
    const again = await this.retry.end(
      tx,
      tried.map(({ id }) => ({ id, state: 'TIMEOUT', ...TOO_LONG, evidence: null })),
    );
    const ended: Ended[] = [
      ...(await this.timeOut(tx, idsOf('never_contacted'), { reason: 'never_contacted', code: 'never_contacted' })),
      ...(await this.timeOut(tx, idsOf('no_further_attempt'), {
        reason: 'no further attempt before it expired',
        code: 'expired',
      })),
      ...(await this.cancelUnanswered(tx, idsOf('unanswered'))),
      ...(await this.timeOut(
        tx,
        once.map(({ id }) => id),
        TOO_LONG,
      )),
      ...again.ended,
      ...(await this.schedule.miss(tx, idsOf('missed'))),
    ];
    await this.end.settle(tx, ended, again.resting);
    await this.schedule.open(tx, idsOf('queue'));
    const asked = new Set(idsOf('ask'));
    const asking = commands
      .filter(({ id }) => asked.has(id))
      .map(({ id, device_id }) => ({ id, online: lanes.get(device_id)! }));
    if (asking.length > 0) await this.sender.sendAgain(tx, await this.store.takeResends(tx, asking, isBehind));
    return judged.length - idsOf('wait').length;
  }

  private async timeOut(
    tx: Tx,
    ids: readonly string[],
    { reason, code }: { reason: string; code: string },
  ): Promise<Ended[]> {
    const set = { reason, code, due_at: null };
    return toEnded('TIMEOUT', await tx.transition(commandTable, 'TIMEOUT', { ids, set, returning: ENDED_COLUMNS }));
  }

  private async cancelUnanswered(tx: Tx, ids: readonly string[]): Promise<Ended[]> {
    const moved = await tx.transition(commandTable, 'CANCELLED', {
      ids,
      from: IN_FLIGHT,
      set: { reason: 'cancelled; the device did not answer', code: 'cancelled', due_at: null },
      returning: ENDED_COLUMNS,
    });
    return toEnded('CANCELLED', moved);
  }
}
