import { batch, type Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { IN_FLIGHT } from '../commands/command.lifecycle.js';

export interface Presence {
  device_id: string;
  online: boolean;
  version: number;
}

/** The statements on lanes. All of them take lanes in the order of their device ids, so that batches that overlap wait and never deadlock. */
@Injectable()
export class LaneStore {
  constructor(private readonly dataSource: DataSource) {}

  /** Of `deviceIds`, those that have no lane yet. */
  async missing(project: string, deviceIds: readonly string[]): Promise<string[]> {
    const rows = await this.dataSource.query<{ device_id: string }[]>(
      `SELECT i.device_id FROM ${batch(['$2::uuid[]'], ['device_id'])}
       LEFT JOIN lane USING (project_id, device_id) WHERE lane.device_id IS NULL`,
      [project, deviceIds],
    );
    return rows.map((row) => row.device_id);
  }

  /** Locks the lanes until the transaction ends. */
  async lock(tx: Tx, deviceIds: readonly string[]): Promise<void> {
    await tx.query(`SELECT FROM lane WHERE project_id = $1 AND device_id = ANY($2) ORDER BY device_id FOR UPDATE`, [
      tx.project,
      deviceIds,
    ]);
  }

  /** Locks those of the lanes that nobody holds; gives whether their devices are online. */
  async lockFree(tx: Tx, deviceIds: readonly string[]): Promise<Map<string, boolean>> {
    const rows = await tx.query<{ device_id: string; online: boolean }>(
      `SELECT device_id, online FROM lane WHERE project_id = $1 AND device_id = ANY($2) ORDER BY device_id FOR UPDATE SKIP LOCKED`,
      [tx.project, deviceIds],
    );
    return new Map(rows.map((row) => [row.device_id, row.online]));
  }

  /**
   * Gives each lane that is online and idle, and whose queue is empty, the command offered for it, under the next fence. Gives the devices that
   * have a lane, with the fence where the command got it. Locks all of the lanes.
   */
  async offer(
    tx: Tx,
    offers: readonly { device_id: string; command_id: string | null }[],
  ): Promise<Map<string, number | null>> {
    const taken = `lane.online AND lane.in_flight IS NULL AND i.command_id IS NOT NULL AND NOT EXISTS (
      SELECT FROM command WHERE command.project_id = i.project_id AND command.device_id = i.device_id AND command.state = 'QUEUED'
    )`;
    const ordered = byDevice(offers);
    // What was queued by whoever held the lane until now is not seen here: it is overtaken by one command, never lost.
    const rows = await tx.query<{ device_id: string; fence: number | null }>(
      `UPDATE lane SET (in_flight, fence) = (
         SELECT CASE WHEN taken THEN i.command_id ELSE lane.in_flight END, lane.fence + taken::integer FROM (SELECT ${taken} AS taken OFFSET 0) t)
       FROM ${batch(['$2::uuid[]', '$3::uuid[]'], ['device_id', 'command_id'])}
       WHERE lane.project_id = i.project_id AND lane.device_id = i.device_id
       RETURNING lane.device_id, CASE WHEN lane.in_flight = i.command_id THEN lane.fence END AS fence`,
      [tx.project, ordered.map((offer) => offer.device_id), ordered.map((offer) => offer.command_id)],
    );
    return new Map(rows.map((row) => [row.device_id, row.fence]));
  }

  /** Takes back an {@link offer} of commands that turned out to be known, unless they are in flight by now: another delivery offered them then. */
  async withdraw(tx: Tx, offers: readonly { device_id: string; command_id: string }[]): Promise<void> {
    await tx.query(
      `UPDATE lane SET in_flight = NULL FROM ${batch(['$2::uuid[]', '$3::uuid[]'], ['device_id', 'command_id'])}
       WHERE lane.project_id = i.project_id AND lane.device_id = i.device_id AND lane.in_flight = i.command_id AND NOT EXISTS (
         SELECT FROM command WHERE command.project_id = i.project_id AND command.id = i.command_id AND command.state = ANY($4)
       )`,
      [tx.project, offers.map((offer) => offer.device_id), offers.map((offer) => offer.command_id), IN_FLIGHT],
    );
  }

  /**
   * Frees the lanes whose command in flight is the one named, under the fence named: a device that says so under that fence speaks of the
   * command that it works on. Gives the commands that were. Locks all of the lanes.
   */
  async release(
    tx: Tx,
    ends: readonly { device_id: string; command_id: string | null; fence: number | null }[],
  ): Promise<Set<string>> {
    const ordered = byDevice(ends);
    const rows = await tx.query<{ released: string }>(
      `WITH touched AS (
         UPDATE lane SET (in_flight, released) = (
           SELECT CASE WHEN ended THEN NULL ELSE lane.in_flight END, CASE WHEN ended THEN i.command_id END
           FROM (SELECT coalesce(lane.in_flight = i.command_id AND lane.fence = i.fence, false) AS ended OFFSET 0) t)
         FROM ${batch(['$2::uuid[]', '$3::uuid[]', '$4::integer[]'], ['device_id', 'command_id', 'fence'])}
         WHERE lane.project_id = i.project_id AND lane.device_id = i.device_id
         RETURNING lane.released
       )
       SELECT released FROM touched WHERE released IS NOT NULL`,
      [
        tx.project,
        ordered.map((end) => end.device_id),
        ordered.map((end) => end.command_id),
        ordered.map((end) => end.fence),
      ],
    );
    return new Set(rows.map((row) => row.released));
  }

  /** Takes in what device-state says, at most one word a device; an older one changes nothing. Locks the lanes. */
  async applyPresence(tx: Tx, presence: readonly Presence[]): Promise<void> {
    await tx.query(
      `INSERT INTO lane (project_id, device_id, online, presence_version)
       SELECT $1, i.device_id, i.online, i.version
       FROM unnest($2::uuid[], $3::boolean[], $4::integer[]) AS i(device_id, online, version) ORDER BY i.device_id
       ON CONFLICT (project_id, device_id) DO UPDATE
       SET online = excluded.online, presence_version = excluded.presence_version, checked_at = now()
       WHERE lane.presence_version <= excluded.presence_version`,
      [tx.project, presence.map((p) => p.device_id), presence.map((p) => p.online), presence.map((p) => p.version)],
    );
  }

  /** Frees the lanes that these commands held. */
  async free(tx: Tx, commands: readonly { id: string; device_id: string }[]): Promise<void> {
    await tx.query(
      `UPDATE lane SET in_flight = NULL FROM ${batch(['$2::uuid[]', '$3::uuid[]'], ['device_id', 'id'])}
       WHERE lane.project_id = i.project_id AND lane.device_id = i.device_id AND lane.in_flight = i.id`,
      [tx.project, commands.map((command) => command.device_id), commands.map((command) => command.id)],
    );
  }

  /**
   * For each of these devices that is online and idle, the next command of its queue and the fence it would get: the highest priority first, and
   * within it the oldest; ids are UUIDv7, made by whoever asked, so a batch that was delayed or came again keeps its place.
   */
  async heads(tx: Tx, deviceIds: readonly string[]): Promise<{ id: string; device_id: string; fence: number }[]> {
    return tx.query(
      `SELECT next.id, lane.device_id, lane.fence + 1 AS fence
       FROM lane CROSS JOIN LATERAL (
         SELECT command.id FROM command
         WHERE command.project_id = $1 AND command.device_id = lane.device_id AND command.state = 'QUEUED' AND command.expires_at > now()
         ORDER BY command.priority DESC, command.id LIMIT 1
       ) AS next
       WHERE lane.project_id = $1 AND lane.device_id = ANY($2) AND lane.online AND lane.in_flight IS NULL`,
      [tx.project, deviceIds],
    );
  }

  async occupy(tx: Tx, commands: readonly { id: string; device_id: string; fence: number }[]): Promise<void> {
    await tx.query(
      `UPDATE lane SET in_flight = i.id, fence = i.fence
       FROM ${batch(['$2::uuid[]', '$3::uuid[]', '$4::integer[]'], ['device_id', 'id', 'fence'])}
       WHERE lane.project_id = i.project_id AND lane.device_id = i.device_id`,
      [tx.project, commands.map((c) => c.device_id), commands.map((c) => c.id), commands.map((c) => c.fence)],
    );
  }

  /** Offline lanes (`waits`: with a command in flight or in their queue) whose presence nobody has confirmed for `seconds`; their check time is set to now. */
  async claimUnchecked(
    seconds: number,
    limit: number,
  ): Promise<{ project_id: string; device_id: string; waits: boolean }[]> {
    const result = await this.dataSource.query<[{ project_id: string; device_id: string; waits: boolean }[], number]>(
      `UPDATE lane SET checked_at = now()
       FROM (
         SELECT project_id, device_id FROM lane
         WHERE NOT online AND checked_at < now() - make_interval(secs => $1)
         ORDER BY checked_at LIMIT $2 FOR UPDATE SKIP LOCKED
       ) AS due
       WHERE lane.project_id = due.project_id AND lane.device_id = due.device_id
       RETURNING lane.project_id, lane.device_id,
         lane.in_flight IS NOT NULL OR EXISTS (SELECT FROM command c WHERE c.project_id = lane.project_id AND c.device_id = lane.device_id AND c.state = 'QUEUED') AS waits`,
      [seconds, limit],
    );
    return result[0];
  }
}

const byDevice = <Row extends { device_id: string }>(rows: readonly Row[]): Row[] =>
  rows.toSorted((a, b) => (a.device_id < b.device_id ? -1 : 1));
