import type { JsonObject, TimelineEntry } from '@muster/contracts';
import { batch, entryId, exactTime, type Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

/** The most rows that one statement deletes. */
const DELETED_AT_ONCE = 2_000;

/** What happened to one device. */
export interface Happened {
  device_id: string;
  entity_id: string;
  detail: JsonObject;
}

/** What the devices of a batch have in common. */
export interface Happening {
  entity: 'device' | 'drift';
  state: string;
  reason: string;
}

/** SQL: each state that the operations of device `$2` were in on it. The reason is kept of the present one alone. */
const STATES_OF_OPERATIONS = `
  SELECT (a.entry ->> 'at')::timestamptz AS at, ${entryId('t.id', 'a.place')} AS id, t.id AS entity_id, t.operation_id, a.entry ->> 'state' AS state,
    CASE WHEN a.place = jsonb_array_length(t.activity) THEN t.reason ELSE '' END AS reason
  FROM device_operation t CROSS JOIN LATERAL jsonb_array_elements(t.activity) WITH ORDINALITY AS a(entry, place)
  WHERE t.project_id = $1 AND t.device_id = $2`;

/** SQL: what each command made of the deployments of device `$2`. */
const DEPLOYED = `
  SELECT (v.one ->> 'at')::timestamptz AS at, (v.one ->> 'command_id')::uuid AS id, t.id AS entity_id, v.one ->> 'state' AS state,
    jsonb_build_object('name', t.name, 'version', v.one -> 'version', 'command_id', v.one -> 'command_id') AS detail
  FROM deployment t CROSS JOIN LATERAL jsonb_array_elements(t.versions) AS v(one)
  WHERE t.project_id = $1 AND t.device_id = $2`;

/** The SQL of what happened to devices. */
@Injectable()
export class TimelineStore {
  constructor(private readonly dataSource: DataSource) {}

  /** Adds an entry for each device, in the transaction in which it happens. */
  async append(tx: Tx, { entity, state, reason }: Happening, devices: readonly Happened[]): Promise<void> {
    if (devices.length === 0) return;
    await tx.query(
      `INSERT INTO device_history (project_id, device_id, id, entity, entity_id, state, reason, detail)
       SELECT i.project_id, i.device_id, gen_random_uuid(), $5, i.entity_id, $6, $7, i.detail::jsonb
       FROM ${batch(['$2::uuid[]', '$3::uuid[]', '$4::text[]'], ['device_id', 'entity_id', 'detail'])}`,
      [
        tx.project,
        devices.map(({ device_id }) => device_id),
        devices.map(({ entity_id }) => entity_id),
        devices.map(({ detail }) => JSON.stringify(detail)),
        entity,
        state,
        reason,
      ],
    );
  }

  /**
   * Newest first, its registration last; at most `limit`. What became of its operations and deployments is read from their own rows, which tell
   * of each state they were in. None where the device is unknown and nothing is asked before.
   */
  page(
    project: string,
    device: string,
    before: { at: string; id: string } | undefined,
    limit: number,
  ): Promise<TimelineEntry[]> {
    const parameters: unknown[] = [project, device, limit];
    const earlier = (at: string, id: string) => (before ? `AND (${at}, ${id}) < ($4::timestamptz, $5::uuid)` : '');
    if (before) parameters.push(before.at, before.id);
    return this.dataSource.query(
      `SELECT ${exactTime('at')} AS at, id, entity, entity_id, state, reason, detail
       FROM (
         (SELECT at, id, entity, entity_id, state, reason, detail FROM device_history
          WHERE project_id = $1 AND device_id = $2 ${earlier('at', 'id')} ORDER BY at DESC, id DESC LIMIT $3)
         UNION ALL
         SELECT created_at, id, 'device', id, 'REGISTERED', '', '{}' FROM device
         WHERE project_id = $1 AND id = $2 ${earlier('created_at', 'id')}
         UNION ALL
         (SELECT e.at, e.id, 'deployment', e.entity_id, e.state, '', e.detail FROM (${DEPLOYED}) e
          WHERE true ${earlier('e.at', 'e.id')} ORDER BY e.at DESC, e.id DESC LIMIT $3)
         UNION ALL
         (SELECT e.at, e.id, 'device-operation', e.entity_id, e.state, e.reason,
            jsonb_build_object('operation_id', e.operation_id, 'operation', o.operation)
          FROM (${STATES_OF_OPERATIONS} ${before ? 'AND t.created_at <= $4' : ''}) e
          JOIN operation o ON o.project_id = $1 AND o.id = e.operation_id
          WHERE true ${earlier('e.at', 'e.id')} ORDER BY e.at DESC, e.id DESC LIMIT $3)
       ) entries ORDER BY entries.at DESC, entries.id DESC LIMIT $3`,
      parameters,
    );
  }

  /** @returns whether there may be more that is older than `before`. */
  async deletePage(before: Date): Promise<boolean> {
    const [, deleted] = await this.dataSource.query<[unknown[], number]>(
      `DELETE FROM device_history WHERE ctid = ANY (ARRAY(
         SELECT ctid FROM device_history WHERE at < $1 ORDER BY at LIMIT ${DELETED_AT_ONCE} FOR UPDATE SKIP LOCKED))`,
      [before],
    );
    return deleted === DELETED_AT_ONCE;
  }
}
