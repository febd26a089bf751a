import {
  jobEntity,
  jobTaskEntity,
  MAX_IN_FLIGHT,
  ROLLOUT_TIMEOUTS,
  type RpcRequest,
  type WaitingEntry,
  type WaitingRpc,
} from '@muster/contracts';
import { exactTime } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

/** More would lead to years of five digits, which no ISO time has, and beyond what an interval holds. */
const MOST_SECONDS = 30_000_000_000;

const timeout = (name: keyof typeof ROLLOUT_TIMEOUTS) =>
  `coalesce((spec #>> '{timeout,${name}}')::integer, ${ROLLOUT_TIMEOUTS[name]})`;

/**
 * SQL: the rollouts that have not ended, and those that are paused. `seconds`: how long a device under way may take, from its release to the
 * time-out of its command. `slot_at`: by when the last device has its slot, as all before it have used up their time, or, where that depends on more
 * than slots, when the rollout is looked at next. What waits for a person has no time.
 */
const OPEN = `
  SELECT *, CASE WHEN at_rest OR waits_for = 'approval' THEN 'infinity'
    WHEN spec ?| ARRAY['waves', 'window', 'start_at', 'rate_per_minute', 'ramp', 'retry', 'membership'] THEN due_at
    ELSE state_at + make_interval(secs => least(${MOST_SECONDS}, seconds * ceil(targeted::float8 / slots))) END AS slot_at
  FROM (
    SELECT r.*, j.state, j.state_at,
      pending + offline + in_flight + succeeded + failed + timed_out + rejected + unknown + r.cancelled AS targeted,
      coalesce((spec ->> 'max_in_flight')::integer, ${MAX_IN_FLIGHT}) AS slots,
      ${timeout('in_progress_seconds')} AS in_progress,
      (${timeout('offline_seconds')} + ${timeout('in_progress_seconds')})::float8 AS seconds
    FROM rollout r JOIN job j USING (project_id, id)
    WHERE r.project_id = $1 AND (due_at IS NOT NULL OR at_rest AND wish = 'pause')
  ) open`;

/** SQL: where a page goes on among the devices of a rollout that are due at one time. */
const AFTER_ID = `CASE WHEN r.slot_at = $3::timestamptz THEN $4::uuid ELSE '00000000-0000-0000-0000-000000000000' END`;

/** SQL over `r`: what a device waits for whose turn has not come. */
const TURN = `CASE WHEN r.at_rest THEN 'approval' WHEN r.waits_for IN ('approval', 'window', 'soak') THEN r.waits_for ELSE 'slot' END`;

/** SQL of an entity's page, of the columns of WaitingEntry; `$2` of them, after the time `$3` and the id `$4`. */
const SOURCES: Readonly<Record<string, string>> = {
  [jobEntity.name]: `
    SELECT '${jobEntity.name}' AS entity, id, NULL::uuid AS device_id, state, waits_for, due_at, reason
    FROM open WHERE due_at IS NOT NULL AND (due_at, id) > ($3, $4) ORDER BY due_at, id LIMIT $2`,
  [jobTaskEntity.name]: `
    (SELECT '${jobTaskEntity.name}', t.id, t.device_id, t.state, ${TURN}, r.slot_at AS due_at, t.reason
     FROM open r CROSS JOIN LATERAL (
       SELECT t.id, t.device_id, t.state, t.reason FROM job_task t
       WHERE t.project_id = $1 AND t.job_id = r.id AND t.state = 'Waiting' AND t.waits_for = '' AND t.id > ${AFTER_ID} ORDER BY t.id LIMIT $2) t
     WHERE r.slot_at >= $3 ORDER BY r.slot_at, t.id LIMIT $2)
    UNION ALL
    (SELECT '${jobTaskEntity.name}', t.id, t.device_id, t.state,
       CASE WHEN r.at_rest THEN 'approval' WHEN t.waits_for = 'retry_at' AND t.ask_at <= now() THEN 'slot' ELSE t.waits_for END,
       CASE WHEN r.at_rest THEN 'infinity' ELSE t.ask_at END AS due_at, t.reason
     FROM open r CROSS JOIN unnest(ARRAY['retry_at', 'offline']) AS held(waits_for) CROSS JOIN LATERAL (
       SELECT t.* FROM job_task t
       WHERE t.project_id = $1 AND t.job_id = r.id AND t.state = 'Waiting' AND t.waits_for <> '' AND t.waits_for = held.waits_for
         AND (r.at_rest OR (t.ask_at, t.id) > ($3, $4))
       ORDER BY t.ask_at, t.id) t
     WHERE (CASE WHEN r.at_rest THEN 'infinity' ELSE t.ask_at END, t.id) > ($3, $4) ORDER BY 6, t.id LIMIT $2)
    UNION ALL
    (SELECT '${jobTaskEntity.name}', t.id, t.device_id, t.state, coalesce(nullif(t.waits_for, ''), 'in_flight'), t.due_at, t.reason
     FROM open r CROSS JOIN LATERAL (
       SELECT t.*, t.state_at + make_interval(secs => CASE WHEN t.waits_for = 'proof' THEN r.in_progress ELSE r.seconds END) AS due_at FROM job_task t
       WHERE t.project_id = $1 AND t.job_id = r.id AND t.state IN ('Running', 'Stopping')) t
     WHERE r.in_flight > 0 AND (t.due_at, t.id) > ($3, $4) ORDER BY t.due_at, t.id LIMIT $2)`,
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
