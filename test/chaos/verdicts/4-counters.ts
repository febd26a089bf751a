import type { Promised } from '../verdict.ts';

const endedAs = (...outcomes: string[]) =>
  `t.state NOT IN ('Waiting', 'Running', 'Stopping') AND t.outcome IN (${outcomes.map((one) => `'${one}'`).join(', ')})`;

const COUNTS: Record<string, string> = {
  pending: `t.state = 'Waiting' AND t.waits_for <> 'offline'`,
  offline: `t.state = 'Waiting' AND t.waits_for = 'offline'`,
  in_flight: `t.state IN ('Running', 'Stopping')`,
  stopping: `t.state = 'Stopping'`,
  succeeded: endedAs('succeeded'),
  failed: endedAs('failed'),
  timed_out: endedAs('timed_out', 'never_contacted'),
  never_contacted: endedAs('never_contacted'),
  rejected: endedAs('rejected'),
  unknown: endedAs('unknown'),
  cancelled: endedAs('cancelled'),
};

const OF_WAVES: Record<string, string> = {
  size: 'true',
  succeeded: `t.state = 'Successful'`,
  lost: `t.state IN ('Failed', 'Timed_out')`,
  left_out: `t.state = 'Stopped'`,
  offline: COUNTS['offline']!,
};

/** What is rolled out, as long as its parts are kept. */
const ROLLOUTS = [
  {
    what: 'jobs',
    kept: 'job_planner.job j ON j.project_id = r.project_id AND j.id = r.id AND j.tasks_deleted_at IS NULL',
    parts: 'job_task',
    owner: 'job_id',
  },
  {
    what: 'stage runs',
    kept: 'job_planner.stage_run s ON s.project_id = r.project_id AND s.id = r.id',
    parts: 'stage_device',
    owner: 'stage_run_id',
  },
  {
    what: 'rollouts of operations',
    kept: 'device_state.operation o ON o.project_id = r.project_id AND o.id = r.id AND o.devices_deleted_at IS NULL',
    parts: 'operation_part',
    owner: 'operation_id',
  },
];

export const counters: Promised = {
  promise: 4,
  text: 'counters equal a recount',
  checks: [
    ...ROLLOUTS.flatMap(({ what, kept, parts, owner }) =>
      Object.entries(COUNTS).map(([name, condition]) => ({
        what: `${what} with a wrong ${name}`,
        sql: `SELECT format('%s has %s, counted %s', r.id, r.${name}, counted.n) AS found
              FROM job_planner.rollout r JOIN ${kept} CROSS JOIN LATERAL (
                SELECT count(*) AS n FROM job_planner.${parts} t WHERE t.project_id = r.project_id AND t.${owner} = r.id AND ${condition}) counted
              WHERE r.${name} <> counted.n`,
      })),
    ),
    ...ROLLOUTS.flatMap(({ what, kept, parts, owner }) =>
      Object.entries(OF_WAVES).map(([name, condition]) => ({
        what: `waves of ${what} with a wrong ${name}`,
        sql: `SELECT format('a wave of %s has %s, counted %s', r.id, w.${name}, counted.n) AS found
              FROM job_planner.rollout r JOIN ${kept}
              CROSS JOIN LATERAL (
                SELECT *, "to" - "from" AS size FROM jsonb_to_recordset(r.waves)
                  AS wave("from" int, "to" int, succeeded int, lost int, left_out int, offline int)) w
              CROSS JOIN LATERAL (
                SELECT count(*) AS n FROM job_planner.${parts} t WHERE t.project_id = r.project_id AND t.${owner} = r.id
                  AND t.place >= w."from" AND t.place < w."to" AND ${condition}) counted
              WHERE w.${name} <> counted.n`,
      })),
    ),
    ...[
      'QUEUED',
      'SCHEDULED',
      'INITIATED',
      'ACKNOWLEDGED',
      'INPROGRESS',
      'SUCCESS',
      'FAILURE',
      'TIMEOUT',
      'CANCELLED',
    ].map((state) => ({
      what: `command requests with a wrong ${state}`,
      sql: `SELECT format('%s has %s, counted %s', r.id, r."${state}", counted.n) AS found
            FROM command_dispatcher.request_count r CROSS JOIN LATERAL (
              SELECT count(*) AS n FROM command_dispatcher.command c
              WHERE c.project_id = r.project_id AND c.request_id = r.id AND c.by_user AND c.state = '${state}') counted
            WHERE r."${state}" <> counted.n`,
    })),
    ...[
      'CREATED',
      'INITIATED',
      'DISPATCHED',
      'PROCESSING',
      'COMPLETED',
      'SUCCESS',
      'FAILURE',
      'TIMEOUT',
      'CANCELLED',
    ].map((state) => ({
      what: `operations with a wrong count of ${state}`,
      sql: `SELECT format('%s has %s, counted %s', o.id, o.in_${state.toLowerCase()}, counted.n) AS found
            FROM device_state.operation o CROSS JOIN LATERAL (
              SELECT count(*) AS n FROM device_state.device_operation d
              WHERE d.project_id = o.project_id AND d.operation_id = o.id AND d.state = '${state}') counted
            WHERE o.devices_deleted_at IS NULL AND o.in_${state.toLowerCase()} <> counted.n`,
    })),
    {
      what: 'lanes that hold a command which does not work',
      sql: `SELECT format('%s holds %s, %s', l.device_id, l.in_flight, coalesce(c.state, 'which does not exist')) AS found
            FROM command_dispatcher.lane l LEFT JOIN command_dispatcher.command c ON c.project_id = l.project_id AND c.id = l.in_flight
            WHERE l.in_flight IS NOT NULL AND coalesce(c.state, '') NOT IN ('INITIATED', 'ACKNOWLEDGED', 'INPROGRESS')`,
    },
  ],
  seen: `SELECT format('%s jobs with %s tasks counted, %s lanes', (SELECT count(*) FROM job_planner.job WHERE tasks_deleted_at IS NULL),
           (SELECT count(*) FROM job_planner.job_task), (SELECT count(*) FROM command_dispatcher.lane)) AS seen`,
};
