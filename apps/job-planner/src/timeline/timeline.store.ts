import {
  jobTaskEntity,
  targetRunEntity,
  type RpcRequest,
  type TimelineEntry,
  type TimelineRpc,
} from '@muster/contracts';
import { entryId, exactTime } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

/** What is told of rows `t` of one kind, in SQL. */
interface Source {
  entity: string;
  /** After FROM: the rows, with what is told beside them; of a row whose whole is gone nothing is. */
  from: string;
  /** Where the rows have their device. */
  device: string;
  /** The states that a row was in: `at`, `state`, `reason`, and `place`, their number in its history. */
  states: string;
  detail: string;
}

/** Neither keeps more of its history; what lies between is told by the commands. */
const SOURCES: readonly Source[] = [
  {
    entity: jobTaskEntity.name,
    from: 'job_task t JOIN job j ON j.project_id = t.project_id AND j.id = t.job_id',
    device: 't.device_id',
    states: `SELECT t.created_at AS at, 'Waiting' AS state, '' AS reason, 1 AS place
      UNION ALL SELECT t.state_at, t.state, t.reason, t.version WHERE t.version > 1`,
    detail: `'job_id', t.job_id, 'job_name', j.job_name, 'task_name', t.task_name`,
  },
  {
    entity: targetRunEntity.name,
    from: `stage_device d JOIN target_run t ON t.project_id = d.project_id AND t.stage_device_id = d.id
      JOIN stage_run_operation o ON o.project_id = t.project_id AND o.id = t.stage_run_operation_id
      JOIN stage_run s ON s.project_id = t.project_id AND s.id = t.stage_run_id
      JOIN pipeline_run p ON p.project_id = s.project_id AND p.id = s.pipeline_run_id`,
    device: 'd.device_id',
    // What is processing was queued before.
    states: `SELECT t.created_at AS at, 'pending' AS state, '' AS reason, 1 AS place
      UNION ALL SELECT t.started_at, 'processing', '', 3 WHERE t.started_at IS NOT NULL AND t.version > 3
      UNION ALL SELECT t.state_at, t.state, t.reason, t.version WHERE t.version > 1`,
    detail: `'pipeline_run_id', p.id, 'pipeline_name', p.pipeline_name, 'run_number', p.run_number, 'stage_run_id', s.id,
      'stage_name', s.meta -> 'name', 'operation_type', o.operation_type, 'command_id', t.command_id`,
  },
];

const ID = entryId('t.id', 'entry.place');

/** SQL of the newest `$3` entries of a source for the device `$2`; of those before the time `$4` and the id `$5` where a page goes on. */
const newest = ({ entity, from, device, states, detail }: Source, goesOn: boolean): string => `
  SELECT entry.at, ${ID} AS id, '${entity}' AS entity, t.id AS entity_id, entry.state, entry.reason, jsonb_build_object(${detail}) AS detail
  FROM ${from} CROSS JOIN LATERAL (${states}) entry
  WHERE t.project_id = $1 AND ${device} = $2 ${goesOn ? `AND t.created_at <= $4 AND (entry.at, ${ID}) < ($4::timestamptz, $5::uuid)` : ''}
  ORDER BY 1 DESC, 2 DESC LIMIT $3`;

/** The SQL of what happened to devices. */
@Injectable()
export class TimelineStore {
  constructor(private readonly dataSource: DataSource) {}

  /** When each task and target run of a device was planned, and how it is now; newest first, at most `limit`. */
  page({ project_id, device_id, before, limit }: RpcRequest<TimelineRpc>): Promise<TimelineEntry[]> {
    const parameters: unknown[] = [project_id, device_id, limit];
    if (before) parameters.push(before.at, before.id);
    return this.dataSource.query(
      `SELECT ${exactTime('e.at')} AS at, e.id, e.entity, e.entity_id, e.state, e.reason, e.detail
       FROM (${SOURCES.map((source) => `(${newest(source, before !== undefined)})`).join(' UNION ALL ')}) e
       ORDER BY e.at DESC, e.id DESC LIMIT $3`,
      parameters,
    );
  }
}
