import type { CommandState, WindowSchedule } from '@muster/contracts';
import { batch, type NewRows, type Tx } from '@muster/journal';
import type { Window } from '@muster/schedule';
import { Injectable } from '@nestjs/common';
import { DeviceLocks } from '../locks/device.locks.js';
import { CommandDispatch } from './command.dispatch.js';
import { CommandHold } from './command.hold.js';
import { CommandEnd, ENDED_COLUMNS, toEnded, type Ended } from './command.end.js';
import { dueInQueue, dueInWindow, EXPIRY, latest } from './command.expiry.js';
import { commandTable } from './command.table.js';
import { windowColumns, windowsOf } from './command.windows.js';
import { RequestFacts } from './request.facts.js';

type Rows = NewRows<typeof commandTable.columns>;

interface Missed {
  id: string;
  request_id: string;
  timezone: string | null;
  window_closes: Date;
  expires_at: Date;
}

/** Why a command that waited for windows ended without having been sent. */
const MISSED = { reason: 'not sent in any of its windows', code: 'window_missed', due_at: null };

/** Commands that wait for their windows (interfaces §3, `schedule`). */
@Injectable()
export class CommandSchedule {
  constructor(
    private readonly facts: RequestFacts,
    private readonly dispatch: CommandDispatch,
    private readonly end: CommandEnd,
    private readonly locks: DeviceLocks,
    private readonly hold: CommandHold,
  ) {}

  /**
   * Creates commands with a schedule: QUEUED when their window is open, else SCHEDULED for the next. Gives those created, and those that no window
   * is left for. `whens`: of each row, the device's zone and until when it may wait at the latest.
   */
  async create(
    tx: Tx,
    schedule: WindowSchedule,
    rows: Rows,
    whens: readonly { timezone: string; latest: Date | null }[],
  ): Promise<{ created: string[]; ended: Ended[] }> {
    const next = windowsOf(schedule);
    const now = Date.now();
    const windows = whens.map(({ timezone }) => next(timezone, now));
    const places = Map.groupBy(windows.keys(), (place) => placeOf(windows[place]!, now));
    const rowsOf = (which: readonly number[]) => ({
      ...(Object.fromEntries(
        Object.entries(rows).map(([name, values]) => [name, which.map((place) => values[place])]),
      ) as unknown as Rows),
      timezone: which.map((place) => whens[place]!.timezone),
      ...windowColumns(which.map((place) => windows[place]!)),
    });
    const create = (place: Place, due_at: string, through: CommandState[] = []) => {
      const which = places.get(place) ?? [];
      return tx.create(commandTable, rowsOf(which), {
        compute: { expires_at: EXPIRY, due_at },
        given: latest(which.map((one) => whens[one]!.latest)),
        through,
      });
    };
    const open = await create('open', dueInQueue('i', EXPIRY));
    const later = await create('later', dueInWindow(EXPIRY), ['SCHEDULED']);
    const never = await create('never', 'NULL');
    const missed = await tx.transition(commandTable, 'TIMEOUT', {
      ids: never.map(({ id }) => id),
      set: MISSED,
      returning: ENDED_COLUMNS,
    });
    return { created: [...open, ...later, ...never].map(({ id }) => id), ended: toEnded('TIMEOUT', missed) };
  }

  /** Commands whose window has come, or their next attempt: they join the queue, and go if it is their turn. Their lanes must be locked. */
  async open(tx: Tx, ids: readonly string[]): Promise<void> {
    const moved = await tx.transition(commandTable, 'QUEUED', {
      ids,
      set: { code: '' },
      compute: { due_at: dueInQueue('t', 't.expires_at') },
      returning: ['device_id', 'lock_owner', 'hold_offline'],
    });
    const devicesOf = (some: typeof moved) => [...new Set(some.map(({ row }) => row['device_id'] as string))];
    await this.hold.hold(tx, devicesOf(moved.filter(({ row }) => row['hold_offline'])));
    const locked = devicesOf(moved.filter(({ row }) => row['lock_owner'] !== null));
    await this.end.tell(tx, await this.locks.failLost(tx, locked));
    await this.dispatch.dispatch(tx, devicesOf(moved));
  }

  /** Commands that were not sent before their window closed wait for the next one. Gives those that none is left for; a recurring one has a successor. */
  async miss(tx: Tx, ids: readonly string[]): Promise<Ended[]> {
    if (ids.length === 0) return [];
    const commands = await tx.query<Missed>(
      `SELECT id, request_id, timezone, window_closes, expires_at FROM command JOIN ${batch(['$2::uuid[]'], ['id'])} USING (project_id, id)`,
      [tx.project, ids],
    );
    const facts = await this.facts.of(
      tx,
      commands.map((command) => command.request_id),
    );
    const now = Date.now();
    const later: { id: string; window: Window }[] = [];
    const never: string[] = [];
    for (const [request_id, missed] of Map.groupBy(commands, (command) => command.request_id)) {
      const { schedule } = facts.get(request_id)!.terms;
      const next = schedule?.schedule === 'WINDOW' ? windowsOf(schedule) : () => null;
      for (const { id, timezone, window_closes, expires_at } of missed) {
        const window = next(timezone, Math.max(window_closes.getTime(), now));
        if (window && window.opens < expires_at.getTime()) later.push({ id, window });
        else never.push(id);
      }
    }
    await this.wait(tx, later);
    const ended = await tx.transition(commandTable, 'TIMEOUT', { ids: never, set: MISSED, returning: ENDED_COLUMNS });
    return toEnded('TIMEOUT', ended);
  }

  private async wait(tx: Tx, commands: readonly { id: string; window: Window }[]): Promise<void> {
    await tx.transition(commandTable, 'SCHEDULED', {
      ids: commands.map(({ id }) => id),
      from: ['QUEUED'],
      each: windowColumns(commands.map(({ window }) => window)),
      set: { reason: 'its window closed before it was sent' },
      compute: { due_at: dueInWindow('t.expires_at') },
    });
  }
}

type Place = 'open' | 'later' | 'never';

const placeOf = (window: Window | null, now: number): Place => {
  if (!window) return 'never';
  return window.opens <= now ? 'open' : 'later';
};
