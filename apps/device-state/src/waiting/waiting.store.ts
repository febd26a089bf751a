import {
  deviceOperationEntity,
  operationEntity,
  type RolloutWait,
  type RpcRequest,
  type WaitingEntry,
  type WaitingRpc,
} from '@muster/contracts';
import { exactTime } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { waitsFor as partWaitsFor } from '../device-operations/device-operation.document.js';
import { waitsFor } from '../operations/operation.decide.js';

interface Row extends Omit<WaitingEntry, 'waits_for'> {
  away: boolean;
  /** What the rollout of its operation waits for, where that has one. */
  rollout: RolloutWait | null;
}

/** The tables of what waits, and what it waits for in each of its states that are no end. */
const SOURCES = [
  { entity: operationEntity.name, table: 'operation', device: 'NULL::uuid', operation: 'id', waitsFor },
  {
    entity: deviceOperationEntity.name,
    table: 'device_operation',
    device: 'device_id',
    operation: 'operation_id',
    waitsFor: partWaitsFor,
  },
] as const;

/** What only a device that can be reached gives. */
const OF_DEVICE: ReadonlySet<WaitingEntry['waits_for']> = new Set(['answer', 'proof']);

/** What an operation waits for while its devices are rolled out, and its rollout knows better. */
const OF_ROLLOUT: ReadonlySet<WaitingEntry['waits_for']> = new Set(['dispatch', 'in_flight']);

/** While a rollout waits for one of these, none of its commands is under way. */
const AT_REST: ReadonlySet<RolloutWait> = new Set(['retry_at', 'offline']);

/** What a device waits for that has its command, or is to be tried again. */
const UNDER_WAY: ReadonlySet<WaitingEntry['waits_for']> = new Set(['in_flight', 'answer']);

/** What all devices of a rollout wait for alike whose turn has not come. */
const OF_ALL: ReadonlySet<RolloutWait> = new Set(['approval', 'window', 'soak']);

/** The SQL of what has not ended. */
@Injectable()
export class WaitingStore {
  constructor(private readonly dataSource: DataSource) {}

  /** By when they are due and then their id, after the one named; at most `limit`. Here everything has a time. */
  async page({ project_id, entity, after, limit }: RpcRequest<WaitingRpc>): Promise<WaitingEntry[]> {
    const sources = SOURCES.filter((source) => entity === undefined || source.entity === entity);
    if (sources.length === 0) return [];
    const parameters: unknown[] = [project_id, limit];
    if (after) parameters.push(after.due_at ?? 'infinity', after.id);
    const later = after ? 'AND (due_at, id) > ($3::timestamptz, $4::uuid)' : '';
    const open = sources.map(
      (source) =>
        `(SELECT '${source.entity}' AS entity, project_id, id, ${source.device} AS device_id, ${source.operation} AS operation_id,
            state, due_at, reason FROM ${source.table}
          WHERE project_id = $1 AND due_at IS NOT NULL ${later} ORDER BY due_at, id LIMIT $2)`,
    );
    const rows = await this.dataSource.query<Row[]>(
      `SELECT w.entity, w.id, w.device_id, w.state, ${exactTime('w.due_at')} AS due_at, w.reason, coalesce(d.state <> 'ONLINE', false) AS away,
         CASE WHEN o.rollout_state <> 'over' THEN o.rollout_waits_for END AS rollout
       FROM (${open.join(' UNION ALL ')}) w LEFT JOIN device d ON d.project_id = w.project_id AND d.id = w.device_id
         LEFT JOIN operation o ON o.project_id = w.project_id AND o.id = w.operation_id
       ORDER BY w.due_at, w.id LIMIT $2`,
      parameters,
    );
    return rows.map(({ away, rollout, ...entry }) => ({ ...entry, waits_for: wordFor(entry, away, rollout) }));
  }
}

function wordFor(
  { entity, state }: Omit<WaitingEntry, 'waits_for'>,
  away: boolean,
  rollout: RolloutWait | null,
): WaitingEntry['waits_for'] {
  const words: Readonly<Record<string, WaitingEntry['waits_for']>> = SOURCES.find(
    (source) => source.entity === entity,
  )!.waitsFor;
  const word = words[state];
  if (!word) throw new Error(`${entity} ${state} has a due_at and waits for nothing`);
  if (rollout !== null && entity === operationEntity.name && OF_ROLLOUT.has(word)) return rollout;
  // A device waits for its turn, whatever those before it do.
  if (rollout !== null && word === 'dispatch') return OF_ALL.has(rollout) ? rollout : 'slot';
  const isUnderWay = rollout !== null && UNDER_WAY.has(word);
  // What holds this device is its own, whatever its rollout waits for: that may be another one.
  if (away && (isUnderWay || OF_DEVICE.has(word))) return 'offline';
  return isUnderWay && AT_REST.has(rollout) ? rollout : word;
}
