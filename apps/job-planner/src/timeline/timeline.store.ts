import { jobTaskEntity, type RpcRequest, type TimelineEntry, type TimelineRpc } from '@muster/contracts';
import { entryId, exactTime } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

/** The SQL of what happened to devices. */
@Injectable()
export class TimelineStore {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * When each task of a device was planned, and how it is now; newest first, at most `limit`. A task keeps no more of its history; what lies
   * between is told by its commands.
   */
  page({ project_id, device_id, before, limit }: RpcRequest<TimelineRpc>): Promise<TimelineEntry[]> {
    const parameters: unknown[] = [project_id, device_id, limit];
    if (before) parameters.push(before.at, before.id);
    return this.dataSource.query(
      `SELECT ${exactTime('e.at')} AS at, e.id, '${jobTaskEntity.name}' AS entity, e.entity_id, e.state, e.reason,
         jsonb_build_object('job_id', e.job_id, 'job_name', j.job_name, 'task_name', e.task_name) AS detail
       FROM (
         SELECT entry.at, ${entryId('t.id', 'entry.place')} AS id, t.id AS entity_id, entry.state, entry.reason, t.job_id, t.task_name
         FROM job_task t CROSS JOIN LATERAL (
           SELECT t.created_at AS at, 'Waiting' AS state, '' AS reason, 1 AS place
           UNION ALL SELECT t.state_at, t.state, t.reason, t.version WHERE t.version > 1
         ) entry
         WHERE t.project_id = $1 AND t.device_id = $2 ${before ? 'AND t.created_at <= $4' : ''}
       ) e
       JOIN job j ON j.project_id = $1 AND j.id = e.job_id
       ${before ? 'WHERE (e.at, e.id) < ($4::timestamptz, $5::uuid)' : ''}
       ORDER BY e.at DESC, e.id DESC LIMIT $3`,
      parameters,
    );
  }
}
