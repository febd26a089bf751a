import { batch, type Tx } from '@muster/journal';
import { isLockTimeout } from '@muster/persistence';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { IN_FLIGHT } from '../commands/command.lifecycle.js';

export interface Presence {
  device_id: string;
  online: boolean;
  version: number;
}

/** A command whose turn it is, with the fence that it gets. */
export interface Head {
  id: string;
  device_id: string;
  fence: number;
  concurrent: boolean;
}

/** A lane that a command was offered to. `fence`: the command's, where it got the lane. */
export interface Offered {
  fence: number | null;
  online: boolean;
}

/** What presence was taken in of a lane, of which commands were asked for that few ask for. */
export interface SpecialLane {
  device_id: string;
  online: boolean;
  concurrent: boolean;
  holds: boolean;
}

/** Most concurrent commands that a device has at a time. */
const CONCURRENT = 20;

/** SQL over `lane`: whether somebody holds the device's lock. */
export const IS_LOCKED = `coalesce(lane.lock_expires_at > now(), false)`;

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

  /** Locks the lanes until the transaction ends; gives whether their devices are online. */
  lock(tx: Tx, deviceIds: readonly string[]): Promise<Map<string, boolean>> {
    return this.locked(tx, deviceIds, '');
  }

  /**
   * Waits in line for the lane `first`, one of them, at most `ms` milliseconds for each who is before it, then locks those that nobody holds.
   * While it waits it holds none: who wants one of those would wait as well, and so on.
   */
  async lockInLine(tx: Tx, ms: number, first: string, deviceIds: readonly string[]): Promise<Map<string, boolean>> {
    await tx.query(`SAVEPOINT in_line; SET LOCAL lock_timeout = ${ms}`);
    try {
      await this.lock(tx, [first]);
      await tx.query('RELEASE SAVEPOINT in_line; SET LOCAL lock_timeout TO DEFAULT');
    } catch (error) {
      if (!isLockTimeout(error)) throw error;
      await tx.query('ROLLBACK TO SAVEPOINT in_line');
    }
    return this.lockFree(tx, deviceIds);
  }

  /** Locks those of the lanes that nobody holds; gives whether their devices are online. */
  lockFree(tx: Tx, deviceIds: readonly string[]): Promise<Map<string, boolean>> {
    return this.locked(tx, deviceIds, 'SKIP LOCKED');
  }

  private async locked(tx: Tx, deviceIds: readonly string[], how: '' | 'SKIP LOCKED'): Promise<Map<string, boolean>> {
    const rows = await tx.query<{ device_id: string; online: boolean }>(
      `SELECT device_id, online FROM lane JOIN ${batch(['$2::uuid[]'], ['device_id'])} USING (project_id, device_id)
       ORDER BY device_id FOR UPDATE OF lane ${how}`,
      [tx.project, deviceIds],
    );
    return new Map(rows.map((row) => [row.device_id, row.online]));
  }

  /**
   * Gives each lane that is online and idle, and whose queue is empty but for what is held, the command offered for it, under the next fence.
   * Gives the devices that have a lane. `holds`: notes that commands are asked for that may be held. Locks all of the lanes.
   */
  async offer(
    tx: Tx,
    offers: readonly { device_id: string; command_id: string | null }[],
    holds: boolean,
  ): Promise<Map<string, Offered>> {
    const taken = `lane.online AND lane.in_flight IS NULL AND i.command_id IS NOT NULL AND NOT ${IS_LOCKED} AND NOT EXISTS (
      SELECT FROM command WHERE command.project_id = i.project_id AND command.device_id = i.device_id
        AND command.state = 'QUEUED' AND NOT command.concurrent AND NOT command.held
    )`;
    const ordered = byDevice(offers);
    // What was queued by whoever held the lane until now is not seen here: it is overtaken by one command, never lost.
    const rows = await tx.query<Offered & { device_id: string }>(
      `UPDATE lane SET (in_flight, in_flight_fence, fence, holds) = (
         SELECT CASE WHEN taken THEN i.command_id ELSE lane.in_flight END,
           CASE WHEN taken THEN lane.fence + 1 ELSE lane.in_flight_fence END, lane.fence + taken::integer, lane.holds OR $4
         FROM (SELECT ${taken} AS taken OFFSET 0) t)
       FROM ${batch(['$2::uuid[]', '$3::uuid[]'], ['device_id', 'command_id'])}
       WHERE lane.project_id = i.project_id AND lane.device_id = i.device_id
       RETURNING lane.device_id, lane.online, CASE WHEN lane.in_flight = i.command_id THEN lane.in_flight_fence END AS fence`,
      [tx.project, ordered.map((offer) => offer.device_id), ordered.map((offer) => offer.command_id), holds],
    );
    return new Map(rows.map((row) => [row.device_id, row]));
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
           FROM (SELECT coalesce(lane.in_flight = i.command_id AND lane.in_flight_fence = i.fence, false) AS ended OFFSET 0) t)
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

  /**
   * Takes in what device-state says, at most one word a device; an older one changes nothing. Locks the lanes. Gives those that took a word in and
   * may have commands that are concurrent or held.
   */
  async applyPresence(tx: Tx, presence: readonly Presence[]): Promise<SpecialLane[]> {
    return tx.query<SpecialLane & Record<string, unknown>>(
      `WITH said AS (
       INSERT INTO lane (project_id, device_id, online, presence_version)
       SELECT $1, i.device_id, i.online, i.version
       FROM unnest($2::uuid[], $3::boolean[], $4::integer[]) AS i(device_id, online, version) ORDER BY i.device_id
       ON CONFLICT (project_id, device_id) DO UPDATE
       SET online = excluded.online, presence_version = excluded.presence_version, checked_at = now()
       WHERE lane.presence_version <= excluded.presence_version
       RETURNING lane.device_id, lane.online, lane.concurrent, lane.holds
       ) SELECT device_id, online, concurrent, holds FROM said WHERE concurrent OR holds`,
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

  /** Notes that concurrent commands are asked for of these devices. */
  async expectConcurrent(tx: Tx, deviceIds: readonly string[]): Promise<void> {
    await tx.query(
      `UPDATE lane SET concurrent = true FROM ${batch(['$2::uuid[]'], ['device_id'])}
       WHERE lane.project_id = i.project_id AND lane.device_id = i.device_id AND NOT lane.concurrent`,
      [tx.project, deviceIds],
    );
  }

  /**
   * The commands whose turn it is on these devices, as far as they are online, with the fences they get: the next of the queue where nothing is
   * in flight, and concurrent ones as far as there is place. The highest priority first, and within it the oldest; ids are UUIDv7, made by
   * whoever asked, so a batch that was delayed or came again keeps its place. While a device is locked, its owner's only. What is held has no turn.
   */
  async heads(tx: Tx, deviceIds: readonly string[], limit: number): Promise<Head[]> {
    const ready = `command.project_id = $1 AND command.device_id = lane.device_id AND command.state = 'QUEUED'
      AND NOT command.held AND command.expires_at > now() AND (command.window_closes IS NULL OR command.window_closes > now())
      AND CASE WHEN ${IS_LOCKED} THEN coalesce(command.lock_owner = lane.lock_owner, false) ELSE command.lock_owner IS NULL END`;
    // Nothing waits for nearly any of them, which one look at the queue tells; as a condition of its own it would be planned as a join, from all
    // that waits in the project.
    return tx.query<Head & Record<string, unknown>>(
      `SELECT next.id, lane.device_id, next.concurrent,
         (lane.fence + row_number() OVER (PARTITION BY lane.device_id ORDER BY next.concurrent, next.id))::integer AS fence
       FROM ${batch(['$2::uuid[]'], ['device_id'])} JOIN lane USING (project_id, device_id) CROSS JOIN LATERAL (
         (SELECT command.id, false AS concurrent FROM command
          WHERE lane.in_flight IS NULL AND NOT command.concurrent AND ${ready}
          ORDER BY command.priority DESC, command.id LIMIT 1)
         UNION ALL
         (SELECT command.id, true FROM command
          WHERE lane.concurrent AND command.concurrent AND ${ready}
          ORDER BY command.priority DESC, command.id
          LIMIT (SELECT greatest(0, ${CONCURRENT} - count(*)) FROM command going
                 WHERE lane.concurrent AND going.project_id = $1 AND going.device_id = lane.device_id AND going.concurrent
                   AND going.state IN ('INITIATED', 'ACKNOWLEDGED', 'INPROGRESS')))
       ) AS next
       WHERE (SELECT EXISTS (SELECT FROM command q WHERE q.project_id = i.project_id AND q.device_id = i.device_id AND q.state = 'QUEUED'))
         AND lane.online AND (lane.in_flight IS NULL OR lane.concurrent)
       LIMIT $3`,
      [tx.project, deviceIds, limit],
    );
  }

  /** Notes what was sent: which command each lane works on now, and the last fence that it gave. */
  async occupy(tx: Tx, heads: readonly Head[]): Promise<void> {
    const lanes = [...Map.groupBy(heads, (head) => head.device_id)].map(([device_id, sent]) => {
      const inFlight = sent.find((head) => !head.concurrent);
      return {
        device_id,
        id: inFlight?.id ?? null,
        of: inFlight?.fence ?? null,
        last: Math.max(...sent.map((head) => head.fence)),
      };
    });
    await tx.query(
      `UPDATE lane SET in_flight = coalesce(i.id, lane.in_flight), in_flight_fence = coalesce(i.of_id, lane.in_flight_fence), fence = i.last
       FROM ${batch(['$2::uuid[]', '$3::uuid[]', '$4::integer[]', '$5::integer[]'], ['device_id', 'id', 'of_id', 'last'])}
       WHERE lane.project_id = i.project_id AND lane.device_id = i.device_id`,
      [
        tx.project,
        lanes.map((lane) => lane.device_id),
        lanes.map((lane) => lane.id),
        lanes.map((lane) => lane.of),
        lanes.map((lane) => lane.last),
      ],
    );
  }

  /** Offline lanes (`waits`: with a command in flight, in their queue, or held) whose presence nobody has confirmed for `seconds`; their check time is set to now. */
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
         lane.in_flight IS NOT NULL OR lane.concurrent OR EXISTS (
           SELECT FROM command c
           WHERE c.project_id = lane.project_id AND c.device_id = lane.device_id AND c.state = 'QUEUED' AND NOT c.concurrent)
         OR lane.holds AND EXISTS (
           SELECT FROM command c
           WHERE c.project_id = lane.project_id AND c.device_id = lane.device_id AND c.held AND c.state IN ('QUEUED', 'SCHEDULED')) AS waits`,
      [seconds, limit],
    );
    return result[0];
  }
}

const byDevice = <Row extends { device_id: string }>(rows: readonly Row[]): Row[] =>
  rows.toSorted((a, b) => (a.device_id < b.device_id ? -1 : 1));
