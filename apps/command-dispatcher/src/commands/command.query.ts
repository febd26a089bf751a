import type { Command, CommandState } from '@muster/contracts';
import { fittingRows } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { IS_LOCKED } from '../lanes/lane.store.js';

/** Which commands; all that is given must fit. */
export interface CommandFilter {
  ids?: readonly string[] | undefined;
  request?: readonly string[] | undefined;
  device?: readonly string[] | undefined;
  state?: readonly CommandState[] | undefined;
}

type Row = Omit<Command, 'created_at' | 'updated_at' | 'due_at'> & {
  page_bytes: string;
  page_row: string;
  created_at: Date;
  updated_at: Date;
  due_at: Date | null;
};

/** SQL over `t` and its `lane`, which may be missing: what the command waits for, by the words of COMMAND_WAITS. */
export const WAITS_FOR = `CASE
  WHEN t.held AND t.state IN ('QUEUED', 'SCHEDULED') THEN 'offline'
  WHEN t.state = 'SCHEDULED' THEN CASE WHEN t.window_opens > t.state_at THEN 'window' ELSE 'retry_at' END
  WHEN t.state IN ('INITIATED', 'ACKNOWLEDGED', 'INPROGRESS') THEN CASE WHEN NOT lane.online THEN 'offline' ELSE 'answer' END
  WHEN t.state <> 'QUEUED' THEN NULL
  WHEN ${IS_LOCKED} AND t.lock_owner IS DISTINCT FROM lane.lock_owner THEN 'lock'
  WHEN NOT lane.online THEN 'offline'
  WHEN t.concurrent THEN 'slot'
  WHEN lane.in_flight IS NOT NULL THEN 'in_flight' END`;

/** SQL: the lane of a command `t`, which may be missing. */
export const LANE = 'LEFT JOIN lane ON lane.project_id = t.project_id AND lane.device_id = t.device_id';

/** Reading commands. */
@Injectable()
export class CommandQuery {
  constructor(private readonly dataSource: DataSource) {}

  /** The latest first, as many of `limit` as one answer may carry: ids are UUIDv7, made by whoever asked. */
  async list(project: string, filter: CommandFilter, limit: number, offset: number): Promise<Command[]> {
    const { sql, values } = conditions(project, filter);
    const rows = await this.dataSource.query<Row[]>(
      fittingRows(`SELECT t.id, t.project_id, t.request_id, t.device_id, r.command, r.args || t.args AS args, t.state, t.attempt, t.fence, t.progress,
         t.reason, t.code, t.evidence, t.late_answer, t.failures, t.activity, t.created_at, t.state_at AS updated_at, t.due_at, ${WAITS_FOR} AS waits_for
       FROM (SELECT * FROM command t WHERE ${sql} ORDER BY t.id DESC LIMIT $${values.length + 1} OFFSET $${values.length + 2}) t
       JOIN command_request r ON r.project_id = t.project_id AND r.id = t.request_id ${LANE}`),
      [...values, limit, offset],
    );
    return rows.map(({ page_bytes: _bytes, page_row: _row, ...row }) => ({
      ...row,
      created_at: row.created_at.toISOString(),
      updated_at: row.updated_at.toISOString(),
      due_at: row.due_at?.toISOString() ?? null,
    }));
  }

  /** How many there are, counted up to `most`; of requests alone by their counts. */
  async count(project: string, filter: CommandFilter, most: number): Promise<number> {
    const { request, device, state } = filter;
    if (request && !device) {
      const columns = state ? [...new Set(state)].map((name) => `"${name}"`).join(' + ') : 'total';
      const [row] = await this.dataSource.query<{ count: number }[]>(
        `SELECT coalesce(sum(${columns}), 0)::integer AS count FROM request_count WHERE project_id = $1 AND id = ANY($2)`,
        [project, request],
      );
      return row!.count;
    }
    const { sql, values } = conditions(project, filter);
    const [row] = await this.dataSource.query<{ count: number }[]>(
      `SELECT count(*)::integer AS count FROM (SELECT FROM command t WHERE ${sql} LIMIT $${values.length + 1}) t`,
      [...values, most],
    );
    return row!.count;
  }
}

/** A request that is asked for is a user's: of those alone there is an index, and all that users see of others are their commands. */
function conditions(
  project: string,
  { ids, request, device, state }: CommandFilter,
): { sql: string; values: unknown[] } {
  const values: unknown[] = [project];
  const all = ['t.project_id = $1'];
  const add = (column: string, given: readonly string[] | undefined) => {
    if (!given) return;
    values.push(given);
    all.push(`${column} = ANY($${values.length})`);
  };
  add('t.id', ids);
  add('t.request_id', request);
  if (request) all.push('t.by_user');
  add('t.device_id', device);
  add('t.state', state);
  return { sql: all.join(' AND '), values };
}
