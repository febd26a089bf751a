import type { Tx } from '@muster/journal';
import { LOGGER, Loop, type Logger } from '@muster/service';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { LaneTurns } from '../lanes/lane.turns.js';
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
const TOO_LONG = { reason: 'no result before the deadline', code: 'in_progress_timeout' };

/** Looks at the commands whose time has come: ends those that took too long, opens windows, and sends again what nobody answered. */
@Injectable()
export class CommandSweep implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly loop: Loop;

  constructor(
    private readonly store: CommandStore,
    private readonly turns: LaneTurns,
    private readonly end: CommandEnd,
    private readonly retry: CommandRetry,
    private readonly schedule: CommandSchedule,
    private readonly sender: CommandSender,
    private readonly lag: StatusLag,
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
    if (due.length === 0) return false;
    const isBehind = await this.lag.isBehind();
    const taken = await this.turns.take(due, (tx, commands, online) => this.apply(tx, commands, online, isBehind));
    return due.length === LIMIT && taken > 0;
  }

  private async apply(
    tx: Tx,
    commands: readonly CommandOfDevice[],
    online: Map<string, boolean>,
    isBehind: boolean,
  ): Promise<void> {
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
      .map(({ id, device_id }) => ({ id, online: online.get(device_id)! }));
    if (asking.length > 0) await this.sender.sendAgain(tx, await this.store.takeResends(tx, asking, isBehind));
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
