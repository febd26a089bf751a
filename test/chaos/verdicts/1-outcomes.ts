import { SERVICES, schemaOf } from '@muster/contracts';
import type { Promised } from '../verdict.ts';
import { runs } from './1-runs.ts';

const ENDED = `('SUCCESS', 'FAILURE', 'TIMEOUT', 'CANCELLED')`;
const OUTCOME = `CASE t.state WHEN 'Successful' THEN 'SUCCESS' WHEN 'Failed' THEN 'FAILURE' WHEN 'Timed_out' THEN 'TIMEOUT' WHEN 'Stopped' THEN 'CANCELLED' END`;

export const outcomes: Promised = {
  promise: 1,
  text: 'every accepted request reached its end, none twice with different outcomes',
  noted: ({ leftovers, refused }) => [
    ...leftovers.map((what) => `not at its end: ${what}`),
    ...refused.map((what) => `refused: ${what}`),
  ],
  checks: [
    {
      what: 'accepted jobs that do not exist',
      sql: `SELECT a.id AS found FROM chaos.accepted a LEFT JOIN job_planner.job j ON j.id = a.id AND j.job_name = a.name
            WHERE a.kind = 'job' AND j.id IS NULL`,
    },
    {
      what: 'requests that made two jobs',
      sql: `SELECT job_name AS found FROM job_planner.job GROUP BY job_name HAVING count(*) > 1`,
    },
    {
      what: 'jobs whose accepted cancel was forgotten',
      sql: `SELECT format('%s %s', a.id, j.state) AS found FROM chaos.accepted a JOIN job_planner.job j ON j.id = a.id
            WHERE a.kind = 'cancel' AND j.state <> 'Stopped'`,
    },
    {
      what: 'accepted command requests that do not exist',
      sql: `SELECT a.id AS found FROM chaos.accepted a LEFT JOIN command_dispatcher.user_request r ON r.id = a.id
            WHERE a.kind = 'command' AND r.id IS NULL`,
    },
    {
      what: 'command requests whose accepted cancel was forgotten',
      sql: `SELECT a.id AS found FROM chaos.accepted a JOIN command_dispatcher.user_request r ON r.id = a.id
            WHERE a.kind = 'command cancel' AND r.cancelled_at IS NULL`,
    },
    {
      what: 'accepted operations that do not exist',
      sql: `SELECT a.id AS found FROM chaos.accepted a LEFT JOIN device_state.operation o ON o.id = a.id
            WHERE a.kind = 'operation' AND o.id IS NULL`,
    },
    {
      what: 'operations whose accepted cancel was forgotten',
      sql: `SELECT format('%s %s', a.id, o.state) AS found FROM chaos.accepted a JOIN device_state.operation o ON o.id = a.id
            WHERE a.kind = 'operation cancel' AND o.state <> 'CANCELLED'`,
    },
    {
      what: 'device operations that ended twice',
      sql: `SELECT format('%s: %s', id, string_agg(became, ', ' ORDER BY version)) AS found FROM chaos.transition
            WHERE entity = 'device-operation' AND became IN ${ENDED} GROUP BY id HAVING count(*) > 1`,
    },
    {
      // A success that no report has proven is a failure; what needs no command, or was cancelled before it, has none: in a rollout it never began.
      what: 'device operations whose command came to something else',
      sql: `SELECT format('%s is %s, its command %s', d.id, d.state, coalesce(c.state, 'does not exist')) AS found
            FROM device_state.device_operation d
            LEFT JOIN command_dispatcher.command c ON c.project_id = d.project_id AND c.id = d.command_id
            WHERE d.command_id IS NOT NULL AND coalesce(c.state, 'CANCELLED') <> d.state
              AND NOT (c.state = 'SUCCESS' AND d.state = 'FAILURE' AND d.wanted IS NOT NULL)
              AND NOT (c.id IS NULL AND d.state = 'SUCCESS'
                AND NOT EXISTS (SELECT FROM chaos.transition b WHERE b.id = d.id AND b.became = 'INITIATED'))`,
    },
    {
      what: 'device operations that ended otherwise than their part in the rollout',
      sql: `SELECT format('%s is %s, its part %s', d.id, d.state, p.outcome) AS found
            FROM device_state.device_operation d JOIN job_planner.operation_part p ON p.project_id = d.project_id AND p.id = d.id
            WHERE d.state <> CASE p.outcome WHEN 'succeeded' THEN 'SUCCESS' WHEN 'cancelled' THEN 'CANCELLED'
              WHEN 'timed_out' THEN 'TIMEOUT' WHEN 'never_contacted' THEN 'TIMEOUT' ELSE 'FAILURE' END`,
    },
    {
      what: 'convergences without proof',
      sql: `SELECT d.id AS found FROM device_state.device_operation d
            WHERE d.state = 'SUCCESS' AND d.wanted IS NOT NULL AND d.command_id IS NOT NULL
              AND NOT EXISTS (SELECT FROM chaos.told t WHERE t.command_id = d.command_id AND t.status = 'success')`,
    },
    {
      what: 'accepted devices that do not exist',
      sql: `SELECT a.name AS found FROM chaos.accepted a LEFT JOIN device_state.device d ON d.id = a.id AND d.name = a.name
            WHERE a.kind = 'register' AND d.id IS NULL`,
    },
    {
      what: 'accepted changes that are not there',
      sql: `SELECT format('%s of %s', a.name, a.id) AS found FROM chaos.accepted a JOIN device_state.device d ON d.id = a.id
            WHERE a.kind = 'patch' AND NOT d.attributes ? a.name`,
    },
    {
      what: 'commands that ended twice',
      sql: `SELECT format('%s: %s', id, string_agg(became, ', ' ORDER BY version)) AS found FROM chaos.transition
            WHERE entity = 'command' AND became IN ${ENDED} GROUP BY id HAVING count(*) > 1`,
    },
    {
      what: 'tasks that ended twice in one round',
      sql: `SELECT format('%s from %s to %s', id, was, became) AS found FROM chaos.transition
            WHERE entity = 'job-task' AND was IN ('Successful', 'Failed', 'Timed_out', 'Stopped') AND became <> 'Waiting'`,
    },
    {
      what: 'tasks whose command came to something else',
      sql: `SELECT format('%s is %s, its command %s', t.id, t.state, coalesce(c.state, 'does not exist')) AS found
            FROM job_planner.job_task t LEFT JOIN command_dispatcher.command c ON c.project_id = t.project_id AND c.id = t.command_id
            WHERE t.command_id IS NOT NULL AND coalesce(c.state, 'CANCELLED') IS DISTINCT FROM ${OUTCOME}`,
    },
    ...runs,
    {
      what: 'messages parked as dead letters',
      sql: SERVICES.filter((service) => service !== 'gateway')
        .map(
          (service) =>
            `SELECT format('%s: %s', subject, left(reason, 100)) AS found FROM ${schemaOf(service)}.dead_letter`,
        )
        .join(' UNION ALL '),
    },
  ],
  seen: `SELECT format('%s requests accepted, %s jobs, %s tasks, %s runs, %s target runs, %s operations, %s device operations, %s commands ended',
           (SELECT count(*) FROM chaos.accepted), (SELECT count(*) FROM job_planner.job), (SELECT count(*) FROM job_planner.job_task),
           (SELECT count(*) FROM job_planner.pipeline_run), (SELECT count(*) FROM job_planner.target_run),
           (SELECT count(*) FROM device_state.operation), (SELECT count(*) FROM device_state.device_operation),
           (SELECT count(*) FROM command_dispatcher.command WHERE state IN ${ENDED})) AS seen`,
};
