import {
  jobEntity,
  jobTaskEntity,
  MAX_IN_FLIGHT,
  pipelineRunEntity,
  ROLLOUT_TIMEOUTS,
  stageRunEntity,
  targetRunEntity,
} from '@muster/contracts';
import { exactTime } from '@muster/journal';
import type { Window } from '@muster/schedule';
import { NIL } from 'uuid';

/** More would lead to years of five digits, which no ISO time has, and beyond what an interval holds. */
const MOST_SECONDS = 30_000_000_000;

const timeout = (name: keyof typeof ROLLOUT_TIMEOUTS) =>
  `coalesce((spec #>> '{timeout,${name}}')::integer, ${ROLLOUT_TIMEOUTS[name]})`;

/** SQL: a time of the window of the zone `z`, as its rollout noted it. */
const timeOfWindow = (name: keyof Window) =>
  `to_timestamp((r.zone_windows #>> ARRAY[z.name, '${name}'])::float8 / 1000) AS ${name}`;

/** SQL: when time alone lets a rollout go on, or when it is looked at next; what only a person lets go on its own end takes from them. */
const UNTIL = `CASE WHEN at_rest OR waits_for = 'approval' THEN coalesce((spec ->> 'end_at')::timestamptz, 'infinity')
  ELSE coalesce(waits_until, due_at) END`;

/** SQL: by when the last device began. It moves in steps, lest a list that is read meanwhile begins again with each device that does. */
const RELEASED_BY = `date_bin('5 minutes', released_at, 'epoch') + interval '5 minutes'`;

/** What makes it depend on more than slots when the last device has its turn. */
const MORE_THAN_SLOTS = ['waves', 'window', 'start_at', 'rate_per_minute', 'ramp', 'retry', 'membership'];

const someSeconds = (seconds: string) => `make_interval(secs => least(${MOST_SECONDS}, ${seconds}))`;

/**
 * SQL: the rollouts that have not ended, and those that are paused. `seconds`: how long a command of a device may take, from its release to its
 * time-out; `commands`: how many a device gets. `slot_at`: by when the last device has its slot, as all before it have used up their time. Where
 * that depends on more than slots: by when all that began have ended, while their end is waited for, or else `until` when it waits, or when it is
 * looked at next. The `deadline` of a stage run if that is earlier. What waits for a person has no other time, and what
 * is paused that of its end.
 */
const OPEN = `
  SELECT *, least(deadline, CASE WHEN at_rest OR waits_for = 'approval' THEN until
    WHEN NOT spec ?| ARRAY[${MORE_THAN_SLOTS.map((name) => `'${name}'`).join(', ')}]
      THEN state_at + ${someSeconds('seconds * commands * ceil(targeted::float8 / slots)')}
    WHEN waits_for IN ('in_flight', 'offline')
      THEN least(coalesce(${RELEASED_BY} + ${someSeconds('seconds * commands')}, until), CASE WHEN NOT spec ? 'window' THEN waits_until END)
    ELSE until END) AS slot_at
  FROM (
    SELECT r.*, ${UNTIL} AS until,
      coalesce(j.state, s.state) AS state, coalesce(j.state_at, s.state_at) AS state_at, coalesce(s.deadline, 'infinity') AS deadline,
      CASE WHEN family = 'stage-run' THEN jsonb_array_length(args -> 'operations') ELSE 1 END AS commands,
      pending + offline + in_flight + succeeded + failed + timed_out + rejected + unknown + r.cancelled AS targeted,
      coalesce((spec ->> 'max_in_flight')::integer, ${MAX_IN_FLIGHT}) AS slots,
      (${timeout('offline_seconds')} + ${timeout('in_progress_seconds')})::float8 AS seconds
    FROM rollout r LEFT JOIN job j USING (project_id, id) LEFT JOIN stage_run s USING (project_id, id)
    WHERE r.project_id = $1 AND (r.due_at IS NOT NULL OR r.at_rest AND r.wish = 'pause')
  ) open`;

/** SQL: the runs of pipelines that have not ended. A run waits for what the stage waits for that is under way. */
const RUNS = `
  SELECT p.id, p.state, p.deadline, p.reason, CASE WHEN p.state = 'waiting' OR r.at_rest THEN 'approval' ELSE coalesce(r.waits_for, 'dispatch') END AS waits_for
  FROM pipeline_run p
    LEFT JOIN stage_run s ON s.project_id = p.project_id AND s.pipeline_run_id = p.id AND s.state IN ('queued', 'processing', 'running', 'complete')
    LEFT JOIN open r ON r.id = s.id
  WHERE p.project_id = $1 AND p.due_at IS NOT NULL`;

/**
 * SQL: what the devices wait for whose turn has not come, and until when (`slot_at`), of each open rollout, or, where windows are read on each
 * device's own clock, of those of each `zone`: until theirs opens, or, once it has, for their `turn`, until it closes.
 */
const TURNS = `
  SELECT r.id, r.family, r.at_rest, CASE WHEN own THEN z.name END AS zone,
    CASE WHEN r.at_rest OR r.waits_for = 'approval' THEN 'approval' WHEN w.opens > now() OR w.opens IS NULL AND r.waits_for = 'window' THEN 'window'
      WHEN r.waits_for = 'soak' THEN 'soak' ELSE 'slot' END AS turn,
    CASE WHEN r.at_rest OR r.waits_for = 'approval' THEN r.slot_at WHEN w.opens > now() THEN least(r.deadline, w.opens)
      ELSE least(r.slot_at, CASE WHEN w.closes > now() THEN w.closes END) END AS slot_at
  FROM open r CROSS JOIN LATERAL (SELECT spec ? 'window' AND coalesce(spec #>> '{window,timezone}', 'device') = 'device' AS own) clock
    CROSS JOIN LATERAL unnest(CASE WHEN own THEN r.zones ELSE ARRAY[coalesce(spec #>> '{window,timezone}', '')] END) AS z(name)
    CROSS JOIN LATERAL (SELECT ${timeOfWindow('opens')}, ${timeOfWindow('closes')}) w`;

/** SQL: where a page goes on among the devices of a rollout that are due at one time. */
const AFTER_ID = `CASE WHEN r.slot_at = $3::timestamptz THEN $4::uuid ELSE '${NIL}' END`;

/** SQL: the zones of the turn `r`: none that is told, or the one that is. Each is looked for by itself, for an index of its own serves it. */
const BY_ZONE = ['r.zone IS NULL', 't.timezone = r.zone'];

/** SQL: whether the part of a device is to be tried again, and the time for that has come. */
const isDue = (part: string) =>
  `${part}.waits_for <> '' AND ${part}.waits_for = 'retry_at' AND ${part}.ask_at <= now() AND (r.zone IS NULL OR ${part}.timezone = r.zone)`;

/** What is told of the devices of rollouts, in SQL. */
interface Devices {
  entity: string;
  family: string;
  /** Those of the turn `r` of a rollout whose turn has not come, by their id, from where the page goes on; and what they wait for. */
  toCome: string;
  turn: string;
  /** The parts of the devices, with what is told of them, `t`: after FROM. */
  parts: string;
  /** What the parts are called there, and their column with the id of the rollout. */
  part: string;
  owner: string;
  /** When the command of a part was released that is under way. */
  since: string;
}

/** SQL: the devices of rollouts: those whose turn has not come, those that wait for something of their own, and those under way. */
const devices = ({ entity, family, toCome, turn, parts, part, owner, since }: Devices): string => `
    (SELECT '${entity}', t.id, t.device_id, t.state, ${turn}, r.slot_at AS due_at, t.reason
     FROM turns r CROSS JOIN LATERAL (${toCome}) t
     WHERE r.family = '${family}' AND r.slot_at >= $3 ORDER BY r.slot_at, t.id LIMIT $2)
    UNION ALL
    (SELECT '${entity}', t.id, t.device_id, t.state,
       CASE WHEN r.at_rest THEN 'approval' ELSE t.waits_for END,
       CASE WHEN r.at_rest THEN r.slot_at ELSE t.ask_at END AS due_at, t.reason
     FROM open r CROSS JOIN unnest(ARRAY['retry_at', 'offline']) AS held(waits_for) CROSS JOIN LATERAL (
       SELECT t.id, t.device_id, t.state, t.reason, ${part}.waits_for, ${part}.ask_at FROM ${parts}
       WHERE ${part}.project_id = $1 AND ${part}.${owner} = r.id
         AND ${part}.state = 'Waiting' AND ${part}.waits_for <> '' AND ${part}.waits_for = held.waits_for
         AND (held.waits_for = 'offline' OR ${part}.ask_at > now())
         AND (r.at_rest OR (${part}.ask_at, t.id) > ($3, $4))
       ORDER BY ${part}.ask_at, t.id) t
     WHERE r.family = '${family}' AND (CASE WHEN r.at_rest THEN r.slot_at ELSE t.ask_at END, t.id) > ($3, $4) ORDER BY 6, t.id LIMIT $2)
    UNION ALL
    (SELECT '${entity}', t.id, t.device_id, t.state, coalesce(nullif(t.waits_for, ''), 'in_flight'), t.due_at, t.reason
     FROM open r CROSS JOIN LATERAL (
       SELECT t.id, t.device_id, t.state, t.reason, ${part}.waits_for,
         least(r.deadline, CASE WHEN ${part}.waits_for = 'proof' THEN ${part}.proof_by ELSE ${since} + make_interval(secs => r.seconds) END) AS due_at
       FROM ${parts} WHERE ${part}.project_id = $1 AND ${part}.${owner} = r.id AND ${part}.state IN ('Running', 'Stopping')) t
     WHERE r.family = '${family}' AND r.in_flight > 0 AND (t.due_at, t.id) > ($3, $4) ORDER BY t.due_at, t.id LIMIT $2)`;

/**
 * SQL of an entity's page, of the columns of WaitingEntry; `$2` of them, after the time `$3` and the id `$4`. Of a run's stages that have not
 * begun the first waits for a person where the run does, and the others for it.
 */
export const SOURCES: Readonly<Record<string, string>> = {
  [jobEntity.name]: `
    SELECT '${jobEntity.name}' AS entity, id, NULL::uuid AS device_id, state, waits_for, until AS due_at, reason
    FROM open WHERE family = 'job' AND NOT at_rest AND (until, id) > ($3, $4) ORDER BY until, id LIMIT $2`,
  [jobTaskEntity.name]: devices({
    entity: jobTaskEntity.name,
    family: 'job',
    toCome: [...BY_ZONE.map((zone) => `t.waits_for = '' AND ${zone}`), isDue('t')]
      .map(
        (which) => `
       (SELECT t.id, t.device_id, t.state, t.reason FROM job_task t
        WHERE t.project_id = $1 AND t.job_id = r.id AND t.state = 'Waiting' AND ${which} AND t.id > ${AFTER_ID} ORDER BY t.id LIMIT $2)`,
      )
      .join(' UNION ALL '),
    turn: 'r.turn',
    parts: 'job_task t',
    part: 't',
    owner: 'job_id',
    since: 't.state_at',
  }),
  [pipelineRunEntity.name]: `
    SELECT '${pipelineRunEntity.name}', id, NULL::uuid, state, waits_for, deadline, reason
    FROM runs WHERE (deadline, id) > ($3, $4) ORDER BY deadline, id LIMIT $2`,
  [stageRunEntity.name]: `
    SELECT '${stageRunEntity.name}', id, NULL::uuid, state, waits_for, due_at, reason
    FROM (
      SELECT s.id, s.state, s.reason,
        CASE WHEN s.state <> 'pending' THEN CASE WHEN r.at_rest THEN 'approval' ELSE coalesce(r.waits_for, 'dispatch') END
          WHEN p.state = 'waiting' AND row_number() OVER (PARTITION BY p.id ORDER BY s.place) = 1 THEN 'approval' ELSE 'slot' END AS waits_for,
        CASE WHEN s.state = 'pending' THEN p.deadline ELSE least(r.until, s.deadline) END AS due_at
      FROM runs p JOIN stage_run s ON s.project_id = $1 AND s.pipeline_run_id = p.id LEFT JOIN open r ON r.id = s.id
      WHERE s.state IN ('pending', 'queued', 'processing', 'running', 'complete')
    ) stages
    WHERE (due_at, id) > ($3, $4) ORDER BY due_at, id LIMIT $2`,
  [targetRunEntity.name]: devices({
    entity: targetRunEntity.name,
    family: 'stage-run',
    // Beside those that have not begun, those that are to be tried again, or whose device is back.
    toCome: [
      ...BY_ZONE.map(
        (zone) => `
       (SELECT t.id, t.device_id, t.state, t.reason FROM target_run t
        WHERE t.project_id = $1 AND t.stage_run_id = r.id AND t.started_at IS NULL AND t.ended_at IS NULL AND ${zone}
          AND t.id > ${AFTER_ID} ORDER BY t.id LIMIT $2)`,
      ),
      ...[`d.waits_for = '' AND d.releases > 0 AND (r.zone IS NULL OR d.timezone = r.zone)`, isDue('d')].map(
        (which) => `
       (SELECT t.id, t.device_id, t.state, t.reason FROM stage_device d JOIN target_run t ON t.project_id = d.project_id AND t.id = d.target_run_id
        WHERE d.project_id = $1 AND d.stage_run_id = r.id AND d.state = 'Waiting' AND ${which}
          AND t.started_at IS NOT NULL AND d.target_run_id > ${AFTER_ID} ORDER BY d.target_run_id LIMIT $2)`,
      ),
    ].join(' UNION ALL '),
    // A later operation of a device waits for the one before it.
    turn: `CASE WHEN t.state = 'pending' AND NOT r.at_rest THEN 'slot' ELSE r.turn END`,
    parts: 'stage_device d JOIN target_run t ON t.project_id = d.project_id AND t.id = d.target_run_id',
    part: 'd',
    owner: 'stage_run_id',
    // A device keeps its slot from one operation to the next, and a target run its beginning from one try to the next.
    since: 'greatest(d.state_at, t.started_at)',
  }),
};

/** SQL of a page of several entities: as that of one, without a time last. */
export const pageSql = (sources: readonly string[]): string => `
  WITH open AS MATERIALIZED (${OPEN}), turns AS MATERIALIZED (${TURNS}), runs AS MATERIALIZED (${RUNS})
  SELECT entity, id, device_id, state, waits_for, CASE WHEN isfinite(due_at) THEN ${exactTime('due_at')} END AS due_at, reason
  FROM (${sources.map((sql) => `(${sql})`).join(' UNION ALL ')}) w(entity, id, device_id, state, waits_for, due_at, reason)
  ORDER BY w.due_at, w.id LIMIT $2`;
