import { COMMAND_OUTCOMES, type WindowSchedule } from '@muster/contracts';
import { batch, type Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { v7 as uuid } from 'uuid';
import { dueInWindow } from './command.expiry.js';
import { movesOf } from './command.moves.js';
import { requestLock } from './command.store.js';
import { commandTable } from './command.table.js';
import { windowColumns, windowsOf } from './command.windows.js';
import type { SharedRequest } from './request.facts.js';

const ENDS: readonly string[] = COMMAND_OUTCOMES;

/** What a command hands on to its successor. */
const INHERITED = [
  'device_id',
  'args',
  'priority',
  'in_progress_seconds',
  'offline_seconds',
  'expires_at',
  'timezone',
  'by_user',
  'retries',
  'concurrent',
] as const;

type Predecessor = Record<(typeof INHERITED)[number], unknown> & {
  request_id: string;
  timezone: string | null;
  expires_at: Date;
  window_closes: Date | null;
};

/** RECURRING: when a command ends, or its window is missed, its successor waits for the next window, until there is none or the request is cancelled. */
@Injectable()
export class CommandRecurrence {
  /** @param requests those that recur */
  async follow(tx: Tx, requests: ReadonlyMap<string, SharedRequest>): Promise<void> {
    const ended = [...movesOf(tx, new Set(requests.keys()))].filter(({ to }) => ENDS.includes(to));
    if (ended.length === 0) return;
    const going = await this.going(tx, [...new Set(ended.map(({ request_id }) => request_id))]);
    const rows = await tx.query<Predecessor>(
      `SELECT request_id, window_closes, ${INHERITED.join(', ')} FROM command
       JOIN ${batch(['$2::uuid[]'], ['id'])} USING (project_id, id) WHERE code <> 'unknown_device' ORDER BY id`,
      [tx.project, ended.filter(({ request_id }) => going.has(request_id)).map(({ id }) => id)],
    );
    for (const [request_id, ofRequest] of Map.groupBy(rows, (row) => row.request_id))
      await this.succeed(tx, request_id, requests.get(request_id)!.terms.schedule!, ofRequest);
  }

  /** Of these requests, those that are not cancelled, and will not be before the transaction ends: a cancel finds all that follows from them. */
  private async going(tx: Tx, ids: readonly string[]): Promise<Set<string>> {
    await tx.query(
      `SELECT pg_advisory_xact_lock_shared(${requestLock('$1', 'id')}) FROM unnest($2::uuid[]) AS i(id) ORDER BY id`,
      [tx.project, ids],
    );
    const rows = await tx.query<{ id: string }>(
      `SELECT id FROM user_request WHERE project_id = $1 AND id = ANY($2) AND cancelled_at IS NULL`,
      [tx.project, ids],
    );
    return new Set(rows.map((row) => row.id));
  }

  private async succeed(
    tx: Tx,
    request_id: string,
    schedule: WindowSchedule,
    predecessors: readonly Predecessor[],
  ): Promise<void> {
    const next = windowsOf(schedule);
    const now = Date.now();
    const followed = predecessors.flatMap((row) => {
      const window = next(row.timezone, Math.max(row.window_closes?.getTime() ?? 0, now));
      return window && window.opens < row.expires_at.getTime() ? [{ row, window }] : [];
    });
    const ids = followed.map(() => uuid());
    const inherited = Object.fromEntries(INHERITED.map((name) => [name, followed.map(({ row }) => row[name])]));
    await tx.create(
      commandTable,
      {
        id: ids,
        request_id: ids.map(() => request_id),
        ref: ids,
        ...inherited,
        ...windowColumns(followed.map(({ window }) => window)),
      },
      { through: ['SCHEDULED'], compute: { due_at: dueInWindow('i.expires_at') } },
    );
  }
}
