import { Journal, type Tx } from '@muster/journal';
import { LOGGER, Loop, type Logger } from '@muster/service';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { LaneStore } from '../lanes/lane.store.js';
import { CommandEnd, ENDED_COLUMNS, toEnded, type Ended } from './command.end.js';
import { IN_FLIGHT } from './command.lifecycle.js';
import { CommandSender } from './command.sender.js';
import { CommandStore, type CommandOfDevice } from './command.store.js';
import { commandTable } from './command.table.js';

const EVERY_MS = 500;
const LIMIT = 500;

/** Looks at the commands whose time has come: ends those that took too long, and sends again what nobody answered. */
@Injectable()
export class CommandSweep implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly loop: Loop;

  constructor(
    private readonly journal: Journal,
    private readonly store: CommandStore,
    private readonly lanes: LaneStore,
    private readonly end: CommandEnd,
    private readonly sender: CommandSender,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.loop = new Loop('command sweep', EVERY_MS, () => this.step(), logger);
  }

  onApplicationBootstrap(): void {
    this.loop.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.loop.stop();
  }

  /** @returns whether there may be more that is due. */
  async step(): Promise<boolean> {
    const due = await this.store.due(LIMIT);
    let taken = 0;
    for (const [project, commands] of Map.groupBy(due, (command) => command.project_id)) {
      taken += await this.journal.transaction(project, (tx) => this.apply(tx, commands));
    }
    return due.length === LIMIT && taken > 0;
  }

  /** Leaves lanes alone that somebody is at work on, another replica's sweep among them. @returns how many commands were looked at. */
  private async apply(tx: Tx, due: readonly CommandOfDevice[]): Promise<number> {
    const lanes = await this.lanes.lockFree(tx, [...new Set(due.map((command) => command.device_id))]);
    const commands = due.flatMap(({ id, device_id }) => {
      const online = lanes.get(device_id);
      return online === undefined ? [] : [{ id, online }];
    });
    const ids = commands.map((command) => command.id);
    const neverContacted = await tx.transition(commandTable, 'TIMEOUT', {
      ids,
      from: ['QUEUED', 'SCHEDULED'],
      guard: 't.expires_at <= now()',
      set: { reason: 'never_contacted', code: 'never_contacted', due_at: null },
      returning: ENDED_COLUMNS,
    });
    const unanswered = await tx.transition(commandTable, 'CANCELLED', {
      ids,
      from: IN_FLIGHT,
      guard: 't.deadline <= now() AND t.cancel_requested',
      set: { reason: 'cancelled; the device did not answer', code: 'cancelled', due_at: null },
      returning: ENDED_COLUMNS,
    });
    const tooLong = await tx.transition(commandTable, 'TIMEOUT', {
      ids,
      from: IN_FLIGHT,
      guard: 't.deadline <= now()',
      set: { reason: 'no result before the deadline', code: 'in_progress_timeout', due_at: null },
      returning: ENDED_COLUMNS,
    });
    const ended: Ended[] = [
      ...toEnded('TIMEOUT', neverContacted),
      ...toEnded('CANCELLED', unanswered),
      ...toEnded('TIMEOUT', tooLong),
    ];
    await this.end.settle(tx, ended);
    const again = await this.store.takeResends(tx, commands);
    await this.sender.sendAgain(tx, again);
    return commands.length;
  }
}
