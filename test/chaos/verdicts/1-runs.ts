import type { Check } from '../verdict.ts';

/** SQL: the states in which runs, stage runs and target runs end. */
export const ENDS_OF_RUNS = `('success', 'failure', 'cancelled', 'timeout', 'invalid')`;

/** What the runs of pipelines, their stage runs and their target runs have to have come to. */
export const runs: readonly Check[] = [
  {
    what: 'accepted runs that do not exist',
    sql: `SELECT a.id AS found FROM chaos.accepted a LEFT JOIN job_planner.pipeline_run r ON r.id = a.id AND r.pipeline_name = a.name
          WHERE a.kind = 'run' AND r.id IS NULL`,
  },
  {
    what: 'requests that made two runs',
    sql: `SELECT pipeline_name AS found FROM job_planner.pipeline_run GROUP BY pipeline_name HAVING count(*) > 1`,
  },
  {
    what: 'runs whose accepted cancel was forgotten',
    sql: `SELECT format('%s %s', a.id, r.state) AS found FROM chaos.accepted a JOIN job_planner.pipeline_run r ON r.id = a.id
          WHERE a.kind = 'run cancel' AND r.state <> 'cancelled'`,
  },
  {
    what: 'runs, stage runs or target runs that ended twice',
    sql: `SELECT format('%s %s from %s to %s', entity, id, was, became) AS found FROM chaos.transition
          WHERE entity IN ('pipeline-run', 'stage-run', 'target-run') AND was IN ${ENDS_OF_RUNS}`,
  },
  {
    what: 'runs that came to something else than their stage runs',
    sql: `SELECT format('%s is %s', r.id, r.state) AS found FROM job_planner.pipeline_run r
          WHERE r.state IN ('success', 'failure') AND (r.state = 'success') <> (
            SELECT bool_and(s.state = 'success') FROM job_planner.stage_run s WHERE s.project_id = r.project_id AND s.pipeline_run_id = r.id)`,
  },
  {
    what: 'stage runs that came to something else than their target runs',
    sql: `SELECT format('%s is %s', s.id, s.state) AS found FROM job_planner.stage_run s
          WHERE s.state IN ('success', 'failure') AND (s.state = 'success') <> (
            SELECT bool_and(t.state = 'success') FROM job_planner.target_run t WHERE t.project_id = s.project_id AND t.stage_run_id = s.id)`,
  },
  {
    // The command of one that was given up is not known where its request had not come through.
    what: 'target runs whose command came to something else',
    sql: `SELECT format('%s is %s (%s), its command %s', t.id, t.state, t.command_status, coalesce(c.state, 'does not exist')) AS found
          FROM job_planner.target_run t
          LEFT JOIN command_dispatcher.command c ON c.project_id = t.project_id AND c.id = t.command_id
          WHERE t.state IN ${ENDS_OF_RUNS} AND (
            t.command_status <> CASE WHEN t.command_id IS NULL THEN '' ELSE coalesce(c.state, 'CANCELLED') END
            OR NOT CASE t.state WHEN 'success' THEN coalesce(c.state, '') = 'SUCCESS'
              WHEN 'failure' THEN coalesce(c.state, '') IN ('FAILURE', 'TIMEOUT', 'CANCELLED')
              ELSE coalesce(c.state, 'CANCELLED') = 'CANCELLED' END)`,
  },
  {
    what: 'target runs that went on after one that did not succeed',
    sql: `SELECT format('%s is %s', n.id, n.state) AS found FROM job_planner.target_run t
          JOIN job_planner.target_run n ON n.project_id = t.project_id AND n.stage_device_id = t.stage_device_id AND n.step > t.step
          WHERE t.state <> 'success' AND n.command_id IS NOT NULL`,
  },
];
