import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { requestLock } from '../commands/command.store.js';

const COMMANDS_AT_ONCE = 2_000;
const REQUESTS_AT_ONCE = 200;
const MARKS_AT_ONCE = 1_000;

/** Below the id of every command asked for at `time` or later: ids are UUIDv7, which begin with their time. */
export function firstIdAt(time: Date): string {
  const hex = time.getTime().toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}

/**
 * SQL of what command-dispatcher no longer keeps. Old commands are found by the primary key, in which they lie in the order of their asking:
 * another index would cost something at every step of every command, and this runs a few times an hour.
 */
@Injectable()
export class CommandRetentionStore {
  constructor(private readonly dataSource: DataSource) {}

  /** Every project that has asked for commands. Reads one entry of the index a project. */
  async projects(): Promise<string[]> {
    const rows = await this.dataSource.query<{ project_id: string }[]>(
      `WITH RECURSIVE p AS (
         (SELECT project_id FROM command_request ORDER BY project_id LIMIT 1)
         UNION ALL
         SELECT (SELECT r.project_id FROM command_request r WHERE r.project_id > p.project_id ORDER BY r.project_id LIMIT 1)
         FROM p WHERE p.project_id IS NOT NULL
       ) SELECT project_id FROM p WHERE project_id IS NOT NULL`,
    );
    return rows.map((row) => row.project_id);
  }

  /**
   * Looks at a page of the commands asked for before `before`, and deletes those that ended before it.
   * @returns the last id of the page, to go on after; undefined when there is no further page.
   */
  async deletePage(
    project: string,
    after: string,
    before: Date,
  ): Promise<{ last: string | undefined; deleted: number }> {
    const [row] = await this.dataSource.query<{ seen: number; last: string | null; deleted: number }[]>(
      `WITH page AS MATERIALIZED (
         SELECT id FROM command WHERE project_id = $1 AND id > $2 AND id < $3 ORDER BY id LIMIT ${COMMANDS_AT_ONCE}
       ), ended AS MATERIALIZED (
         SELECT id FROM command WHERE project_id = $1 AND id = ANY (ARRAY(SELECT id FROM page))
           AND state IN ('SUCCESS', 'FAILURE', 'TIMEOUT', 'CANCELLED') AND state_at < $4
         FOR UPDATE SKIP LOCKED
       ), gone AS (
         DELETE FROM command WHERE project_id = $1 AND id = ANY (ARRAY(SELECT id FROM ended)) RETURNING id
       )
       SELECT (SELECT count(*)::integer FROM page) AS seen, (SELECT id FROM page ORDER BY id DESC LIMIT 1) AS last,
         (SELECT count(*)::integer FROM gone) AS deleted`,
      [project, after, firstIdAt(before), before],
    );
    const { seen, last, deleted } = row!;
    return { last: seen === COMMANDS_AT_ONCE ? last! : undefined, deleted };
  }

  /**
   * Deletes some of the requests that have no command left and that nobody asked for in the day before `before` or since: all their commands
   * are then among those asked for before `before`, of which few are left by now. A user's may recur, so all of its commands count, whenever they
   * were made; with it go its counts. @returns how many.
   */
  async deleteRequests(project: string, before: Date): Promise<number> {
    const idle = `r.project_id = $1 AND r.asked_at < $2::timestamptz - interval '1 day' AND (NOT r.by_user OR NOT EXISTS (
        SELECT FROM command c WHERE c.project_id = $1 AND c.request_id = r.id AND c.by_user
        UNION ALL SELECT FROM user_request u WHERE u.project_id = $1 AND u.id = r.id AND u.due_at IS NOT NULL))`;
    return this.dataSource.transaction(async (manager) => {
      const rows = await manager.query<{ id: string; locked: boolean }[]>(
        `WITH candidate AS MATERIALIZED (
           SELECT r.id FROM command_request r
           WHERE ${idle} AND NOT EXISTS (SELECT FROM command c WHERE c.project_id = $1 AND c.id < $3 AND c.request_id = r.id)
           ORDER BY r.id LIMIT ${REQUESTS_AT_ONCE}
         )
         SELECT id, pg_try_advisory_xact_lock(${requestLock('$1', 'id')}) AS locked FROM candidate`,
        [project, before, firstIdAt(before)],
      );
      const ids = rows.filter((row) => row.locked).map((row) => row.id);
      if (ids.length === 0) return 0;
      // Looked at again under the lock: whoever asks for commands holds it, and leaves the time.
      const [gone] = await manager.query<{ count: number }[]>(
        `WITH gone AS (DELETE FROM command_request r WHERE ${idle} AND r.id = ANY ($3) RETURNING r.id),
           of_users AS (DELETE FROM user_request u WHERE u.project_id = $1 AND u.id IN (SELECT id FROM gone)),
           counts AS (DELETE FROM request_count c WHERE c.project_id = $1 AND c.id IN (SELECT id FROM gone))
         SELECT count(*)::integer AS count FROM gone`,
        [project, before, ids],
      );
      return gone!.count;
    });
  }

  /** Deletes some of the cancels made before `before` whose commands never came. @returns how many. */
  async deleteMarks(before: Date): Promise<number> {
    const [, count] = await this.dataSource.query<[unknown[], number]>(
      `DELETE FROM command_cancel WHERE (project_id, id) IN (
         SELECT project_id, id FROM command_cancel WHERE created_at < $1 LIMIT ${MARKS_AT_ONCE} FOR UPDATE SKIP LOCKED)`,
      [before],
    );
    return count;
  }
}
