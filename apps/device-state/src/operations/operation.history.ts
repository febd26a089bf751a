import { Injectable } from '@nestjs/common';
import type { DeviceOperationEntry, WaitingOperation } from '@muster/contracts';
import { DataSource } from 'typeorm';
import { waitsFor as partWaitsFor } from '../device-operations/device-operation.document.js';
import { waitsFor } from './operation.decide.js';

/** SQL: a time as ISO 8601 in UTC, to the microsecond, so that it can be a place to go on from. */
const iso = (at: string) => `to_char(${at} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

/** What operations add to the timeline of a device and to the list of what waits. */
@Injectable()
export class OperationHistory {
  constructor(private readonly dataSource: DataSource) {}

  /** Each state that a device's operations entered before `before`, the newest first. Only the present one's reason is kept. */
  timeline(
    project: string,
    deviceId: string,
    before: string | undefined,
    limit: number,
  ): Promise<DeviceOperationEntry[]> {
    return this.dataSource.query(
      `SELECT ${iso('e.at')} AS at, 'device-operation' AS entity, e.id, e.state, e.reason,
              json_build_object('operation_id', e.operation_id, 'operation', o.operation) AS detail
       FROM (
         SELECT t.project_id, t.id, t.operation_id, a.entry ->> 'state' AS state, (a.entry ->> 'at')::timestamptz AS at, a.place,
                CASE WHEN a.place = jsonb_array_length(t.activity) THEN t.reason ELSE '' END AS reason
         FROM device_operation t, jsonb_array_elements(t.activity) WITH ORDINALITY AS a(entry, place)
         WHERE t.project_id = $1 AND t.device_id = $2 AND ($3::timestamptz IS NULL OR t.created_at < $3)
           AND ($3::timestamptz IS NULL OR (a.entry ->> 'at')::timestamptz < $3)
         ORDER BY at DESC, t.id DESC, a.place DESC LIMIT $4
       ) e JOIN operation o ON o.project_id = e.project_id AND o.id = e.operation_id
       ORDER BY e.at DESC, e.id DESC, e.place DESC`,
      [project, deviceId, before ?? null, limit],
    );
  }

  /** Operations and device operations that have not ended, by when they are due and then their id, after the one named. */
  async waiting(
    project: string,
    after: { due_at: string; id: string } | undefined,
    limit: number,
  ): Promise<WaitingOperation[]> {
    const rows = await this.dataSource.query<Omit<WaitingOperation, 'waits_for'>[]>(
      `SELECT entity, id, device_id, state, ${iso('due_at')} AS due_at, reason FROM (
         (${open('operation', 'operation', 'NULL::uuid')})
         UNION ALL
         (${open('device-operation', 'device_operation', 'device_id')})
       ) w ORDER BY w.due_at, w.id LIMIT $4`,
      [project, after?.due_at ?? null, after?.id ?? null, limit],
    );
    const words: Readonly<Record<string, Readonly<Record<string, string>>>> = {
      operation: waitsFor,
      'device-operation': partWaitsFor,
    };
    return rows.map(({ entity, id, device_id, state, due_at, reason }) => {
      return { entity, id, device_id, state, waits_for: words[entity]?.[state] ?? '', due_at, reason };
    });
  }
}

const open = (entity: string, table: string, device: string) =>
  `SELECT '${entity}' AS entity, id, ${device} AS device_id, state, due_at, reason FROM ${table}
   WHERE project_id = $1 AND due_at IS NOT NULL AND ($2::timestamptz IS NULL OR (due_at, id) > ($2::timestamptz, $3::uuid))
   ORDER BY due_at, id LIMIT $4`;
