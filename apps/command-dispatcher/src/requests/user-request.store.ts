import { COMMAND_OUTCOMES, type CommandStats, type NewCommandRequest } from '@muster/contracts';
import { fittingRows, type Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { requestLock } from '../commands/command.store.js';

/** A user's request with how far it is. */
export interface UserRequest {
  project_id: string;
  id: string;
  body: NewCommandRequest;
  timezone: string;
  created_by: string;
  created_at: Date;
  expanded: boolean;
  cursor: string;
  cancelled_at: Date | null;
  reason: string;
}

/** The same with its counts, for its document. */
export type CountedRequest = UserRequest & { counts: CommandStats; updated_at: Date };

export interface RequestKey {
  project_id: string;
  id: string;
}

const columns = (body: string) =>
  `r.project_id, r.id, ${body} AS body, r.timezone, r.created_by, r.created_at, r.expanded, r.cursor, r.cancelled_at, r.reason`;
const counted = (body: string) => `${columns(body)}, to_jsonb(c) AS counts, c.updated_at`;
const JOINED = `user_request r JOIN request_count c ON c.project_id = r.project_id AND c.id = r.id`;
/** SQL: how many of its commands have ended. */
const ENDED = COMMAND_OUTCOMES.map((state) => `c."${state}"`).join(' + ');
/** SQL: the body with its first `$4` devices. */
const SHORTENED = `CASE WHEN r.body ? 'devices'
  THEN jsonb_set(r.body, '{devices}', jsonb_path_query_array(r.body, '$.devices[0 to $last]', jsonb_build_object('last', $4::integer - 1))) ELSE r.body END`;

/** The statements on what users asked for. */
@Injectable()
export class UserRequestStore {
  constructor(private readonly dataSource: DataSource) {}

  /** Saves a request with its counts; `expanded`: all of its commands are made by this transaction. @returns whether it is new. */
  async insert(
    tx: Tx,
    {
      id,
      body,
      timezone,
      created_by,
      expanded,
    }: Pick<UserRequest, 'id' | 'body' | 'timezone' | 'created_by' | 'expanded'>,
  ): Promise<boolean> {
    const rows = await tx.query(
      `WITH made AS (
         INSERT INTO user_request (project_id, id, body, timezone, created_by, expanded, due_at)
         VALUES ($1, $2, $3::jsonb, $4, $5, $6, CASE WHEN NOT $6 THEN now() END)
         ON CONFLICT DO NOTHING RETURNING project_id, id
       )
       INSERT INTO request_count (project_id, id) SELECT project_id, id FROM made RETURNING id`,
      [tx.project, id, JSON.stringify(body), timezone, created_by, expanded],
    );
    return rows.length > 0;
  }

  /** Whether the request asks for this. */
  async isFor(project: string, id: string, body: NewCommandRequest): Promise<boolean> {
    const rows = await this.dataSource.query<unknown[]>(
      `SELECT FROM user_request WHERE project_id = $1 AND id = $2 AND body = $3::jsonb`,
      [project, id, JSON.stringify(body)],
    );
    return rows.length > 0;
  }

  async find(project: string, id: string): Promise<CountedRequest | undefined> {
    const [row] = await this.dataSource.query<CountedRequest[]>(
      `SELECT ${counted('r.body')} FROM ${JOINED} WHERE r.project_id = $1 AND r.id = $2`,
      [project, id],
    );
    return row;
  }

  /**
   * The latest first, each with its first `devices` devices, as many of `limit` as one answer may carry: ids are UUIDv7, made by whoever asked.
   */
  async list(project: string, limit: number, offset: number, devices: number): Promise<CountedRequest[]> {
    return this.dataSource.query<CountedRequest[]>(
      fittingRows(
        `SELECT ${counted(SHORTENED)} FROM ${JOINED} WHERE r.project_id = $1 ORDER BY r.id DESC LIMIT $2 OFFSET $3`,
      ),
      [project, limit, offset, devices],
    );
  }

  /** How many there are, counted up to `most`. */
  async count(project: string, most: number): Promise<number> {
    const [row] = await this.dataSource.query<{ count: number }[]>(
      `SELECT count(*)::integer AS count FROM (SELECT FROM user_request WHERE project_id = $1 LIMIT $2) r`,
      [project, most],
    );
    return row!.count;
  }

  /** Locks the request until the transaction ends. Before any lane. */
  async lock(tx: Tx, id: string): Promise<UserRequest | undefined> {
    const [row] = await tx.query<UserRequest>(
      `SELECT ${columns('r.body')} FROM user_request r WHERE r.project_id = $1 AND r.id = $2 FOR UPDATE`,
      [tx.project, id],
    );
    return row;
  }

  /** How far its devices were walked. */
  async saveCursor(tx: Tx, id: string, cursor: string, expanded: boolean): Promise<void> {
    await tx.query(
      `UPDATE user_request SET cursor = $3, expanded = $4, due_at = CASE WHEN $4 THEN NULL ELSE due_at END WHERE project_id = $1 AND id = $2`,
      [tx.project, id, cursor, expanded],
    );
  }

  /**
   * Marks the request as cancelled, unless it is complete: from the commit on no commands follow from it, and all that did are there to be seen.
   * Whoever makes some holds the request's lock, and takes lanes; so this transaction must take none. @returns whether it is marked now and was not.
   */
  async markCancelled(tx: Tx, id: string, reason: string): Promise<boolean> {
    await tx.query(`SELECT pg_advisory_xact_lock(${requestLock('$1', '$2')})`, [tx.project, id]);
    const rows = await tx.query(
      `UPDATE user_request r SET cancelled_at = now(), reason = $3, cursor = '', due_at = now()
       FROM request_count c
       WHERE r.project_id = $1 AND r.id = $2 AND r.cancelled_at IS NULL AND c.project_id = r.project_id AND c.id = r.id
         AND NOT (r.expanded AND c.total = ${ENDED}) RETURNING r.id`,
      [tx.project, id, reason],
    );
    return rows.length > 0;
  }

  /** Marks the request as cancelled because its devices can be walked no further, unless somebody has; see {@link markCancelled}. */
  async cancelUnexpanded(tx: Tx, { id, cursor }: Pick<UserRequest, 'id' | 'cursor'>, reason: string): Promise<void> {
    await tx.query(`SELECT pg_advisory_xact_lock(${requestLock('$1', '$2')})`, [tx.project, id]);
    await tx.query(
      `UPDATE user_request SET cancelled_at = now(), reason = $3, cursor = '', due_at = now()
       WHERE project_id = $1 AND id = $2 AND cursor = $4 AND NOT expanded AND cancelled_at IS NULL`,
      [tx.project, id, reason, cursor],
    );
  }

  /** A page of the request's commands that have not ended. */
  async open(tx: Tx, id: string, after: string, limit: number): Promise<{ id: string; device_id: string }[]> {
    return tx.query(
      `SELECT id, device_id FROM command
       WHERE project_id = $1 AND request_id = $2 AND by_user AND id > $3 AND state IN ('QUEUED', 'SCHEDULED', 'INITIATED', 'ACKNOWLEDGED', 'INPROGRESS')
       ORDER BY id LIMIT $4`,
      [tx.project, id, after, limit],
    );
  }

  /** Requests with more to do, of every project; each is claimed for a while, so that replicas do not take the same. */
  async claimDue(limit: number, seconds: number): Promise<RequestKey[]> {
    const [rows] = await this.dataSource.query<[RequestKey[], number]>(
      `UPDATE user_request SET due_at = now() + make_interval(secs => $2)
       FROM (SELECT project_id, id FROM user_request WHERE due_at <= now() ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED) AS due
       WHERE user_request.project_id = due.project_id AND user_request.id = due.id
       RETURNING user_request.project_id, user_request.id`,
      [limit, seconds],
    );
    return rows;
  }

  /** Ends the claim of a request with more to do: whoever is next goes on. */
  async giveBack({ project_id, id }: RequestKey): Promise<void> {
    await this.dataSource.query(
      `UPDATE user_request SET due_at = now() WHERE project_id = $1 AND id = $2 AND due_at IS NOT NULL`,
      [project_id, id],
    );
  }
}
