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
