import type { Promised } from '../verdict.ts';

const COUNTS: Record<string, string> = {
  task_total: 'true',
  pending: `t.state = 'Waiting'`,
  in_flight: `t.state IN ('Running', 'Stopping')`,
  stopping: `t.state = 'Stopping'`,
  succeeded: `t.state = 'Successful'`,
  failed: `t.state = 'Failed'`,
  timed_out: `t.state = 'Timed_out'`,
  cancelled: `t.state = 'Stopped'`,
};

export const counters: Promised = {
  promise: 4,
  text: 'counters equal a recount',
  checks: [
    ...Object.entries(COUNTS).map(([name, condition]) => ({
      what: `jobs with a wrong ${name}`,
      sql: `SELECT format('%s has %s, counted %s', j.id, j.${name}, counted.n) AS found
            FROM job_planner.job j CROSS JOIN LATERAL (
              SELECT count(*) AS n FROM job_planner.job_task t WHERE t.project_id = j.project_id AND t.job_id = j.id AND ${condition}) counted
            WHERE j.tasks_deleted_at IS NULL AND j.${name} <> counted.n`,
    })),
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
