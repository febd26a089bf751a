import { batch, type Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Word } from './advisory.js';

/** A device that lost its last connection. */
export interface Left {
  id: string;
  /** When the last one ended. */
  ended_at: Date;
}

const WORD = ['id', 'server_id', 'client_id', 'server_name', 'connected', 'ended_at'];

/** The SQL of connections: one method a statement. */
@Injectable()
export class ConnectionStore {
  constructor(private readonly dataSource: DataSource) {}

  /** What is said of a device's connections, and what a sweep or a sign says of the device, takes turns. Gives those that exist. */
  async lockDevices(tx: Tx, ids: readonly string[]): Promise<Set<string>> {
    const rows = await tx.query<{ id: string }>(
      `SELECT t.id FROM device t JOIN ${batch(['$2::uuid[]'], ['id'])} USING (project_id, id) ORDER BY t.id FOR NO KEY UPDATE OF t`,
      [tx.project, ids],
    );
    return new Set(rows.map(({ id }) => id));
  }

  /** Notes words, one for each connection; what was said of it before stays. */
  async note(tx: Tx, words: readonly Word[]): Promise<void> {
    await tx.query(
      `INSERT INTO device_connection AS t (project_id, device_id, server_id, client_id, server_name, connected, ended_at)
       SELECT i.project_id, i.id, i.server_id, i.client_id, i.server_name, i.connected, i.ended_at
       FROM ${batch(
         ['$2::uuid[]', '$3::text[]', '$4::bigint[]', '$5::text[]', '$6::boolean[]', '$7::timestamptz[]'],
         WORD,
       )}
       ON CONFLICT (project_id, device_id, server_id, client_id)
       DO UPDATE SET connected = t.connected OR excluded.connected, ended_at = coalesce(t.ended_at, excluded.ended_at)`,
      [
        tx.project,
        words.map(({ device_id }) => device_id),
        words.map(({ server_id }) => server_id),
        words.map(({ client_id }) => client_id),
        words.map(({ server_name }) => server_name),
        words.map(({ began_at }) => began_at !== null),
        words.map(({ ended_at }) => ended_at && new Date(ended_at).toISOString()),
      ],
    );
  }

  /** Removes the connections that a server had before it was started anew, of those devices that have come back to it. */
  async removeOfServersBefore(tx: Tx, words: readonly Word[]): Promise<void> {
    await tx.query(
      `DELETE FROM device_connection t
       USING ${batch(['$2::uuid[]', '$3::text[]', '$4::text[]'], ['id', 'server_id', 'server_name'])}
       WHERE t.project_id = i.project_id AND t.device_id = i.id AND t.server_name = i.server_name AND t.server_id <> i.server_id`,
      [
        tx.project,
        words.map(({ device_id }) => device_id),
        words.map(({ server_id }) => server_id),
        words.map(({ server_name }) => server_name),
      ],
    );
  }

  /** Removes the connections that have ended, and gives the devices that have none any more. */
  async removeEnded(tx: Tx, ids: readonly string[]): Promise<Left[]> {
    return tx.query<Left>(
      `WITH ended AS (
         DELETE FROM device_connection t USING ${batch(['$2::uuid[]'], ['id'])}
         WHERE t.project_id = i.project_id AND t.device_id = i.id AND t.connected AND t.ended_at IS NOT NULL
         RETURNING t.device_id, t.ended_at
       )
       SELECT device_id AS id, max(ended_at) AS ended_at FROM ended
       WHERE NOT EXISTS (SELECT FROM device_connection c
                         WHERE c.project_id = $1 AND c.device_id = ended.device_id AND c.connected AND c.ended_at IS NULL)
       GROUP BY device_id`,
      [tx.project, ids],
    );
  }

  /** Those of the devices that have said no hello since, which they say on each connection. */
  async silentSince(tx: Tx, left: readonly Left[]): Promise<string[]> {
    const rows = await tx.query<{ id: string }>(
      `SELECT t.id FROM device t JOIN ${batch(['$2::uuid[]', '$3::timestamptz[]'], ['id', 'ended_at'])} USING (project_id, id)
       WHERE t.state = 'ONLINE'
         AND coalesce((t.applied->'hello'->>'at')::bigint, 0) <= extract(epoch FROM i.ended_at) * 1000`,
      [tx.project, left.map(({ id }) => id), left.map(({ ended_at }) => ended_at)],
    );
    return rows.map(({ id }) => id);
  }

  /**
   * Those of the devices whose only connection ended, though nobody has heard of its beginning: they said their last hello on it. So it is after a
   * bus that was started anew, when devices are back before the service is.
   */
  async leftUnheard(tx: Tx, words: readonly Word[]): Promise<string[]> {
    const ends = words.filter(({ began_at, ended_at }) => began_at === null && ended_at !== null);
    if (ends.length === 0) return [];
    const rows = await tx.query<{ id: string }>(
      `SELECT t.id FROM device t JOIN ${batch(
        ['$2::uuid[]', '$3::text[]', '$4::bigint[]', '$5::bigint[]', '$6::bigint[]'],
        ['id', 'server_id', 'client_id', 'opened_at', 'ended_at'],
      )} USING (project_id, id)
       WHERE t.state = 'ONLINE' AND (t.applied->'hello'->>'at')::bigint BETWEEN i.opened_at AND i.ended_at
         AND EXISTS (SELECT FROM device_connection c
                     WHERE c.project_id = t.project_id AND c.device_id = t.id
                       AND c.server_id = i.server_id AND c.client_id = i.client_id AND NOT c.connected)
         AND NOT EXISTS (SELECT FROM device_connection c
                         WHERE c.project_id = t.project_id AND c.device_id = t.id AND c.connected)`,
      [
        tx.project,
        ends.map(({ device_id }) => device_id),
        ends.map(({ server_id }) => server_id),
        ends.map(({ client_id }) => client_id),
        ends.map(({ opened_at }) => opened_at),
        ends.map(({ ended_at }) => ended_at),
      ],
    );
    return rows.map(({ id }) => id);
  }

  /** Notes a sign of life of those that are online; the devices are locked. */
  async touch(tx: Tx, words: readonly Word[]): Promise<void> {
    const began = words.filter(({ began_at }) => began_at !== null);
    if (began.length === 0) return;
    await tx.query(
      `UPDATE device t SET last_seen = greatest(t.last_seen, least(i.at, now()))
       FROM ${batch(['$2::uuid[]', '$3::timestamptz[]'], ['id', 'at'])}
       WHERE t.project_id = i.project_id AND t.id = i.id AND t.state = 'ONLINE'`,
      [
        tx.project,
        began.map(({ device_id }) => device_id),
        began.map(({ began_at }) => new Date(began_at!).toISOString()),
      ],
    );
  }

  /** Removes all connections of devices that were silent for so long that these cannot live. */
  async forget(tx: Tx, ids: readonly string[]): Promise<void> {
    await tx.query(
      `DELETE FROM device_connection t USING ${batch(['$2::uuid[]'], ['id'])}
       WHERE t.project_id = i.project_id AND t.device_id = i.id`,
      [tx.project, ids],
    );
  }

  /** Removes up to `limit` ends that were told an hour ago, whose beginnings will not be told any more; says how many. */
  async forgetEnds(limit: number): Promise<number> {
    const [, count] = await this.dataSource.query<[unknown[], number]>(
      `DELETE FROM device_connection WHERE (project_id, device_id, server_id, client_id) IN (
         SELECT project_id, device_id, server_id, client_id FROM device_connection
         WHERE ended_at < now() - interval '1 hour' LIMIT $1 FOR UPDATE SKIP LOCKED)`,
      [limit],
    );
    return count;
  }
}
