import type { Device, JsonObject } from '@muster/contracts';
import { batch, type Moved, type Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { deviceTable } from '../devices/device.table.js';
import { ASKED, SHOWN, type Asked } from '../device-operations/device-operation.shown.js';
import type { Convergence } from '../drift/drift.decide.js';
import { TimelineStore } from '../timeline/timeline.store.js';
import { PresenceTimes } from './presence.times.js';
import { heardAt, type Agent, type Applied, type Sender, type Sign } from './sign.js';

/**
 * A device that gave a sign of life. `reported` only where the sign changes it, and then `desired`, if anything is,
 * and `asked`, if anything was.
 * @property alive whether its last sign, this one included, is younger than the silence that makes a device offline.
 */
export interface FoundDevice {
  id: string;
  state: Device['state'];
  version: number;
  alive: boolean;
  /** Which writing of the row this is (`xmin`). */
  written: string;
  applied: Applied;
  reported: JsonObject | null;
  desired: JsonObject | null;
  converged: boolean;
  drifted: boolean;
  asked: Asked[] | null;
}

/** What a sign of life changes of a device; null leaves the column as it is. `at`: when it was given, epoch ms. */
export interface Change {
  id: string;
  at: number;
  applied: Applied;
  agent: Agent | null;
  reported: JsonObject | null;
  /** What the new reported state comes to; null where nothing is desired, or nothing new is reported. */
  convergence: Convergence | null;
  /** Device operations that are proved by it; null where there are none. */
  shown: string[] | null;
  /** The device that the change was made for. */
  seen: Pick<FoundDevice, 'written' | 'drifted'>;
}

/** The SQL of presence: one method a statement. Rows are locked in the order of their keys, as every transition does. */
@Injectable()
export class PresenceStore {
  private readonly silence: string;

  constructor(
    private readonly dataSource: DataSource,
    times: PresenceTimes,
    private readonly timeline: TimelineStore,
  ) {
    this.silence = `interval '${times.silenceSeconds} seconds'`;
  }

  /**
   * Notes a sign of life of those that are online, over all projects at once; gives these. `at`: when it was given, epoch ms.
   */
  async touch(beats: readonly (Sender & { at: number })[]): Promise<Sender[]> {
    const inOrder = beats.toSorted((a, b) => order(a.project_id, b.project_id) || order(a.device_id, b.device_id));
    // TypeORM gives the rows of an UPDATE together with their number.
    const [touched] = await this.dataSource.query<[Sender[], number]>(
      `UPDATE device t SET last_seen = ${lastSeen('i.at')}
       FROM unnest($1::text[], $2::uuid[], $3::timestamptz[]) AS i(project_id, id, at)
       WHERE t.project_id = i.project_id AND t.id = i.id AND t.state = 'ONLINE'
       RETURNING t.project_id, t.id AS device_id`,
      [
        inOrder.map(({ project_id }) => project_id),
        inOrder.map(({ device_id }) => device_id),
        inOrder.map(({ at }) => timestamp(at)),
      ],
    );
    return touched;
  }

  /** Those of the senders that exist. */
  known(senders: readonly Sender[]): Promise<Sender[]> {
    return this.dataSource.query(
      `SELECT project_id, id AS device_id FROM device JOIN unnest($1::text[], $2::uuid[]) AS i(project_id, id) USING (project_id, id)`,
      [senders.map(({ project_id }) => project_id), senders.map(({ device_id }) => device_id)],
    );
  }

  /** The devices as they are now; {@link note} finds out whether they still are. */
  read(tx: Tx, signs: readonly Sign[]): Promise<FoundDevice[]> {
    return this.find(tx, signs, '');
  }

  lock(tx: Tx, signs: readonly Sign[]): Promise<FoundDevice[]> {
    return this.find(tx, signs, 'ORDER BY t.id FOR UPDATE OF t');
  }

  /** Those that were not online, and live, come online. */
  async comeOnline(tx: Tx, changes: readonly Change[]): Promise<Moved[]> {
    const moved = await tx.transition(deviceTable, 'ONLINE', {
      ids: changes.map(({ id }) => id),
      given: {
        at: { type: 'timestamptz', values: changes.map(({ at }) => timestamp(at)) },
        applied: { type: 'jsonb', values: changes.map(({ applied }) => applied) },
        agent: { type: 'jsonb', values: changes.map(({ agent }) => agent) },
        reported: { type: 'jsonb', values: changes.map(({ reported }) => reported) },
        converged: { type: 'boolean', values: changes.map(({ convergence }) => convergence?.converged ?? null) },
        drifted: { type: 'boolean', values: changes.map(({ convergence }) => convergence?.drifted ?? null) },
        shown: { type: 'jsonb', values: changes.map(({ shown }) => shown) },
      },
      compute: {
        agent: 'coalesce(i.agent::jsonb, t.agent)',
        reported: 'coalesce(i.reported::jsonb, t.reported)',
        converged: 'coalesce(i.converged, t.converged)',
        drifted: 'coalesce(i.drifted, t.drifted)',
        shown: SHOWN,
        applied: 'i.applied::jsonb',
        last_seen: lastSeen('i.at'),
        presence_due: `now() + ${this.silence}`,
        updated_at: 'now()',
      },
    });
    await this.remember(tx, 'ONLINE', '', moved);
    return moved;
  }

  /**
   * Notes what was said by those that stay as they are: online already, or silent since. Gives those that were noted. A device whose row was
   * written since it was looked at, if only by a heartbeat, is left alone.
   */
  async note(tx: Tx, changes: readonly Change[]): Promise<string[]> {
    if (changes.length === 0) return [];
    const asText = (value: object | null) => value && JSON.stringify(value);
    const inOrder = changes.toSorted((a, b) => order(a.id, b.id));
    const noted = await tx.query<{ id: string }>(
      `UPDATE device t
       SET last_seen = ${lastSeen('i.at')}, applied = i.applied::jsonb,
           agent = coalesce(i.agent::jsonb, t.agent), reported = coalesce(i.reported::jsonb, t.reported),
           converged = coalesce(i.converged, t.converged), drifted = coalesce(i.drifted, t.drifted),
           shown = ${SHOWN},
           updated_at = CASE WHEN i.agent IS NULL AND i.reported IS NULL THEN t.updated_at ELSE now() END
       FROM ${batch(
         [
           '$2::uuid[]',
           '$3::timestamptz[]',
           '$4::text[]',
           '$5::text[]',
           '$6::text[]',
           '$7::xid[]',
           '$8::boolean[]',
           '$9::boolean[]',
           '$10::text[]',
         ],
         ['id', 'at', 'applied', 'agent', 'reported', 'written', 'converged', 'drifted', 'shown'],
       )}
       WHERE t.project_id = i.project_id AND t.id = i.id AND t.xmin = i.written
       RETURNING t.id`,
      [
        tx.project,
        inOrder.map(({ id }) => id),
        inOrder.map(({ at }) => timestamp(at)),
        inOrder.map(({ applied }) => asText(applied)),
        inOrder.map(({ agent }) => asText(agent)),
        inOrder.map(({ reported }) => asText(reported)),
        inOrder.map(({ seen }) => seen.written),
        inOrder.map(({ convergence }) => convergence?.converged ?? null),
        inOrder.map(({ convergence }) => convergence?.drifted ?? null),
        inOrder.map(({ shown }) => asText(shown)),
      ],
    );
    return noted.map(({ id }) => id);
  }

  /** The projects of the `limit` devices that are due first. */
  async dueProjects(limit: number): Promise<string[]> {
    const rows = await this.dataSource.query<{ project_id: string }[]>(
      `SELECT DISTINCT project_id FROM (
         SELECT project_id FROM device WHERE state = 'ONLINE' AND presence_due <= now() ORDER BY presence_due LIMIT $1
       ) due ORDER BY project_id`,
      [limit],
    );
    return rows.map(({ project_id }) => project_id);
  }

  /** Takes due devices that nobody else is at work on. */
  takeDue(tx: Tx, limit: number): Promise<{ id: string; alive: boolean }[]> {
    return tx.query(
      `SELECT id, last_seen + ${this.silence} > now() AS alive
       FROM device WHERE project_id = $1 AND state = 'ONLINE' AND presence_due <= now()
       ORDER BY presence_due LIMIT $2 FOR UPDATE SKIP LOCKED`,
      [tx.project, limit],
    );
  }

  /** Moves the deadline of devices that were heard since it was set. */
  async postpone(tx: Tx, ids: readonly string[]): Promise<void> {
    await tx.query(
      `UPDATE device t SET presence_due = last_seen + ${this.silence}
       FROM ${batch(['$2::uuid[]'], ['id'])} WHERE t.project_id = i.project_id AND t.id = i.id`,
      [tx.project, ids],
    );
  }

  async goOffline(tx: Tx, ids: readonly string[], reason: 'missed heartbeats' | 'disconnected'): Promise<Moved[]> {
    const moved = await tx.transition(deviceTable, 'OFFLINE', {
      ids,
      set: { reason, presence_due: null },
      compute: { updated_at: 'now()' },
    });
    await this.remember(tx, 'OFFLINE', reason, moved);
    return moved;
  }

  private remember(tx: Tx, state: Device['state'], reason: string, moved: readonly Moved[]): Promise<void> {
    return this.timeline.append(
      tx,
      { entity: 'device', state, reason },
      moved.map(({ id }) => ({ device_id: id, entity_id: id, detail: {} })),
    );
  }

  private find(tx: Tx, signs: readonly Sign[], how: string): Promise<FoundDevice[]> {
    return tx.query(
      `SELECT t.id, t.state, t.version, t.xmin AS written, t.applied, ${lastSeen('i.at')} + ${this.silence} > now() AS alive,
              CASE WHEN i.patched THEN t.reported END AS reported,
              CASE WHEN i.patched AND t.desired <> '{}' THEN t.desired END AS desired,
              t.converged, t.drifted, CASE WHEN i.patched THEN ${ASKED} END AS asked
       FROM device t JOIN ${batch(['$2::uuid[]', '$3::timestamptz[]', '$4::boolean[]'], ['id', 'at', 'patched'])} USING (project_id, id)
       ${how}`,
      [
        tx.project,
        signs.map(({ device_id }) => device_id),
        signs.map((sign) => timestamp(heardAt(sign))),
        signs.map(({ statements }) => statements.some(({ patch }) => patch)),
      ],
    );
  }
}

// The order in which Postgres sorts project names and uuids.
const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

const timestamp = (at: number) => new Date(at).toISOString();

// A late message never takes a later sign back, and a clock that is ahead keeps nobody alive beyond its time.
const lastSeen = (at: string) => `greatest(t.last_seen, least(${at}, now()))`;
