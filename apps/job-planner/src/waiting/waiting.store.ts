import { jobEntity, jobTaskEntity, type RpcRequest, type WaitingEntry, type WaitingRpc } from '@muster/contracts';
import { exactTime } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { TIMEOUT_DEFAULTS } from '../jobs/job.ask.js';

/** More would lead to years of five digits, which no ISO time has, and beyond what an interval holds. */
const MOST_SECONDS = 30_000_000_000;

const timeout = (name: keyof typeof TIMEOUT_DEFAULTS) =>
  `coalesce((rollout #>> '{timeout,${name}}')::integer, ${TIMEOUT_DEFAULTS[name]})`;

/**
 * SQL: the jobs that have not ended, and those that are paused. `seconds`: how long a task in flight may take, from its release to the time-out
 * of its command. `slot_at`: by when the last task has its slot, as all before it have used up their time. A paused job frees no slot: that is for a person to change.
 */
const OPEN = `
  SELECT *, CASE WHEN state = 'Stopped' THEN 'infinity'
    ELSE state_at + make_interval(secs => least(${MOST_SECONDS}, seconds * ceil(task_total::float8 / max_in_flight))) END AS slot_at
  FROM (
    SELECT id, state, reason, planned, in_flight, due_at, state_at, task_total, max_in_flight,
      (${timeout('offline_seconds')} + ${timeout('in_progress_seconds')})::float8 AS seconds
    FROM job WHERE project_id = $1 AND (due_at IS NOT NULL OR state = 'Stopped' AND wish = 'pause')
  ) j`;

/** SQL: where a page goes on among the tasks of a job that are due at one time. */
const AFTER_ID = `CASE WHEN j.slot_at = $3::timestamptz THEN $4::uuid ELSE '00000000-0000-0000-0000-000000000000' END`;

/** SQL of an entity's page, of the columns of WaitingEntry; `$2` of them, after the time `$3` and the id `$4`. */
const SOURCES: Readonly<Record<string, string>> = {
  [jobEntity.name]: `
    SELECT '${jobEntity.name}' AS entity, id, NULL::uuid AS device_id, state,
      CASE WHEN in_flight > 0 THEN 'in_flight' WHEN NOT planned THEN 'resolve' ELSE 'dispatch' END AS waits_for, due_at, reason
    FROM open WHERE due_at IS NOT NULL AND (due_at, id) > ($3, $4) ORDER BY due_at, id LIMIT $2`,
  [jobTaskEntity.name]: `
    (SELECT '${jobTaskEntity.name}', t.id, t.target_id, t.state, CASE j.state WHEN 'Stopped' THEN 'approval' ELSE 'slot' END, j.slot_at AS due_at, t.reason
     FROM open j CROSS JOIN LATERAL (
       SELECT t.id, t.target_id, t.state, t.reason FROM job_task t
       WHERE t.project_id = $1 AND t.job_id = j.id AND t.state = 'Waiting' AND t.id > ${AFTER_ID} ORDER BY t.id LIMIT $2) t
     WHERE j.slot_at >= $3 ORDER BY j.slot_at, t.id LIMIT $2)
    UNION ALL
    (SELECT '${jobTaskEntity.name}', t.id, t.target_id, t.state, 'in_flight', t.due_at, t.reason
     FROM open j CROSS JOIN LATERAL (
       SELECT t.*, t.state_at + make_interval(secs => j.seconds) AS due_at FROM job_task t
       WHERE t.project_id = $1 AND t.job_id = j.id AND t.state IN ('Running', 'Stopping')) t
     WHERE j.in_flight > 0 AND (t.due_at, t.id) > ($3, $4) ORDER BY t.due_at, t.id LIMIT $2)`,
};

/** The SQL of what has not ended. */
@Injectable()
export class WaitingStore {
  constructor(private readonly dataSource: DataSource) {}

  /** By when they are due, without a time last, and then their id, after the one named; at most `limit`. */
  async page({ project_id, entity, after, limit }: RpcRequest<WaitingRpc>): Promise<WaitingEntry[]> {
    const sources = Object.entries(SOURCES).filter(([name]) => entity === undefined || name === entity);
    if (sources.length === 0) return [];
    const place = after
      ? [after.due_at ?? 'infinity', after.id]
      : ['-infinity', '00000000-0000-0000-0000-000000000000'];
    return this.dataSource.query(
      `WITH open AS MATERIALIZED (${OPEN})
       SELECT entity, id, device_id, state, waits_for, CASE WHEN isfinite(due_at) THEN ${exactTime('due_at')} END AS due_at, reason
       FROM (${sources.map(([, sql]) => `(${sql})`).join(' UNION ALL ')}) w(entity, id, device_id, state, waits_for, due_at, reason)
       ORDER BY w.due_at, w.id LIMIT $2`,
      [project_id, limit, ...place],
    );
  }
}
