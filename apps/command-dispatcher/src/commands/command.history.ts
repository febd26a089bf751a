import {
  commandEntity,
  type RpcRequest,
  type TimelineEntry,
  type TimelineRpc,
  type WaitingEntry,
  type WaitingRpc,
} from '@muster/contracts';
import { entryId, exactTime } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { LANE, WAITS_FOR } from './command.query.js';

/** What commands add to the pictures that are put together of several services. */
@Injectable()
export class CommandHistory {
  constructor(private readonly dataSource: DataSource) {}

  /** Each state that a device's commands were in, newest first; at most `limit`. Reason and code are kept of the present one alone. */
  timeline({ project_id, device_id, before, limit }: RpcRequest<TimelineRpc>): Promise<TimelineEntry[]> {
    const parameters: unknown[] = [project_id, device_id, limit];
    if (before) parameters.push(before.at, before.id);
    const present = (column: string) =>
      `CASE WHEN entry.place = jsonb_array_length(t.activity) THEN t.${column} ELSE '' END`;
    return this.dataSource.query(
      `SELECT ${exactTime('e.at')} AS at, e.id, '${commandEntity.name}' AS entity, e.entity_id, e.state, e.reason,
         jsonb_build_object('command', r.command, 'request_id', e.request_id, 'attempt', e.attempt, 'code', e.code) AS detail
       FROM (
         SELECT (entry.value->>'at')::timestamptz AS at, ${entryId('t.id', 'entry.place')} AS id, t.id AS entity_id, entry.value->>'state' AS state,
           ${present('reason')} AS reason, ${present('code')} AS code, t.request_id, t.attempt
         FROM command t CROSS JOIN LATERAL jsonb_array_elements(t.activity) WITH ORDINALITY entry(value, place)
         WHERE t.project_id = $1 AND t.device_id = $2 ${before ? 'AND t.created_at <= $4' : ''}
       ) e
       JOIN command_request r ON r.project_id = $1 AND r.id = e.request_id
       ${before ? 'WHERE (e.at, e.id) < ($4::timestamptz, $5::uuid)' : ''}
       ORDER BY e.at DESC, e.id DESC LIMIT $3`,
      parameters,
    );
  }

  /** Commands that have not ended, by the time at which each is looked at next; at most `limit`. Each has such a time. */
  waiting({ project_id, entity = commandEntity.name, after, limit }: RpcRequest<WaitingRpc>): Promise<WaitingEntry[]> {
    if (entity !== commandEntity.name) return Promise.resolve([]);
    const parameters: unknown[] = [project_id, limit];
    if (after) parameters.push(after.due_at ?? 'infinity', after.id);
    return this.dataSource.query(
      `SELECT '${commandEntity.name}' AS entity, t.id, t.device_id, t.state, coalesce(${WAITS_FOR}, 'dispatch') AS waits_for,
         ${exactTime('t.due_at')} AS due_at, t.reason
       FROM (SELECT * FROM command t
             WHERE t.project_id = $1 AND t.due_at IS NOT NULL ${after ? 'AND (t.due_at, t.id) > ($3::timestamptz, $4::uuid)' : ''}
             ORDER BY t.due_at, t.id LIMIT $2) t ${LANE}
       ORDER BY t.due_at, t.id`,
      parameters,
    );
  }
}
