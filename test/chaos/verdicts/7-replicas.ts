import type { Promised } from '../verdict.ts';

export const replicas: Promised = {
  promise: 7,
  text: 'two replicas of each service did no work twice',
  checks: [
    {
      what: 'two transitions of one version',
      sql: `SELECT format('%s %s.%s', entity, id, version) AS found FROM chaos.transition GROUP BY entity, id, version HAVING count(*) > 1`,
    },
    {
      what: 'events with one id and several bodies',
      sql: `SELECT event_id AS found FROM chaos.published WHERE round = 'live' GROUP BY event_id HAVING count(DISTINCT md5) > 1`,
    },
    {
      what: 'targets that a job planned twice',
      sql: `SELECT format('%s in %s', target_id, job_id) AS found FROM job_planner.job_task GROUP BY job_id, target_id HAVING count(*) > 1`,
    },
    {
      what: 'targets that a stage run planned twice',
      sql: `SELECT format('%s in %s', target_id, stage_run_id) AS found FROM job_planner.stage_device
            GROUP BY stage_run_id, target_id HAVING count(*) > 1`,
    },
    {
      what: 'target runs with two commands',
      sql: `SELECT format('%s of %s', c.request_id, c.ref) AS found FROM command_dispatcher.command c JOIN job_planner.stage_device d ON d.id = c.ref
            GROUP BY c.request_id, c.ref HAVING count(*) > 1`,
    },
    {
      what: 'tasks with more commands than releases',
      sql: `SELECT format('%s: %s commands, %s releases', c.ref, c.n, coalesce(r.n, 0)) AS found
            FROM (SELECT ref, count(*) AS n FROM command_dispatcher.command GROUP BY ref) c
            LEFT JOIN (SELECT id, count(*) AS n FROM chaos.transition WHERE entity = 'job-task' AND became = 'Running' GROUP BY id) r ON r.id = c.ref
            WHERE c.n > coalesce(r.n, 0) AND EXISTS (SELECT FROM job_planner.job_task t WHERE t.id = c.ref)`,
    },
    {
      what: 'commands executed more often than attempted',
      sql: `SELECT format('%s %s times', e.command_id, count(*)) AS found
            FROM chaos.execution e JOIN command_dispatcher.command c ON c.id = e.command_id
            GROUP BY e.command_id, c.attempt HAVING count(*) > c.attempt`,
    },
    {
      what: 'devices that got two commands of one request of a user',
      sql: `SELECT format('%s of %s', device_id, request_id) AS found FROM command_dispatcher.command WHERE by_user
            GROUP BY request_id, device_id HAVING count(*) > 1`,
    },
    {
      what: 'device operations with two commands',
      sql: `SELECT c.ref AS found FROM command_dispatcher.command c JOIN device_state.device_operation d ON d.id = c.ref
            GROUP BY c.ref HAVING count(*) > 1`,
    },
  ],
  seen: `SELECT format('%s journal rows, %s commands for %s tasks', (SELECT count(DISTINCT (service, seq)) FROM chaos.transition),
           (SELECT count(*) FROM command_dispatcher.command), (SELECT count(*) FROM job_planner.job_task)) AS seen`,
};
