import { transitionsOf } from './evidence.ts';

/** The tables of the product, as far as verdicts look at them, and a job of one task that went well. */
export const SMALL_WORLD = `
  CREATE SCHEMA job_planner; CREATE SCHEMA command_dispatcher; CREATE SCHEMA device_state;
  CREATE TABLE job_planner.job (project_id text, id uuid, job_name text, state text, version int, tasks_deleted_at timestamptz);
  CREATE TABLE job_planner.rollout (project_id text, id uuid, pending int DEFAULT 0, offline int DEFAULT 0, in_flight int DEFAULT 0,
    stopping int DEFAULT 0, succeeded int DEFAULT 0, failed int DEFAULT 0, timed_out int DEFAULT 0, never_contacted int DEFAULT 0,
    rejected int DEFAULT 0, unknown int DEFAULT 0, cancelled int DEFAULT 0, told int DEFAULT 0,
    waves jsonb DEFAULT '[{"from": 0, "to": 1, "succeeded": 1, "lost": 0, "left_out": 0, "offline": 0}]');
  CREATE TABLE job_planner.job_task (project_id text, id uuid, job_id uuid, target_id uuid, command_id uuid, state text, version int,
    waits_for text DEFAULT '', outcome text DEFAULT 'succeeded', place int DEFAULT 0);
  CREATE TABLE command_dispatcher.command (project_id text, id uuid, ref uuid, device_id uuid, state text, version int, fence int, code text,
    reason text, cancel_requested boolean, state_at timestamptz, deadline timestamptz, expires_at timestamptz, request_id uuid, by_user boolean,
    attempt int);
  CREATE TABLE command_dispatcher.user_request (project_id text, id uuid, cancelled_at timestamptz);
  CREATE TABLE command_dispatcher.request_count (project_id text, id uuid, "QUEUED" int DEFAULT 0, "SCHEDULED" int DEFAULT 0,
    "INITIATED" int DEFAULT 0, "ACKNOWLEDGED" int DEFAULT 0, "INPROGRESS" int DEFAULT 0, "SUCCESS" int DEFAULT 0, "FAILURE" int DEFAULT 0,
    "TIMEOUT" int DEFAULT 0, "CANCELLED" int DEFAULT 0);
  CREATE TABLE device_state.operation (project_id text, id uuid, state text, version int, in_created int DEFAULT 0, in_initiated int DEFAULT 0,
    in_dispatched int DEFAULT 0, in_processing int DEFAULT 0, in_completed int DEFAULT 0, in_success int DEFAULT 0, in_failure int DEFAULT 0,
    in_timeout int DEFAULT 0, in_cancelled int DEFAULT 0, devices_deleted_at timestamptz);
  CREATE TABLE device_state.device_operation (project_id text, id uuid, operation_id uuid, device_id uuid, command_id uuid, state text,
    version int, wanted jsonb);
  CREATE TABLE job_planner.approval (id uuid, state text, version int);
  CREATE TABLE job_planner.pipeline_run (project_id text, id uuid, pipeline_name text, state text, version int);
  CREATE TABLE job_planner.stage_run (project_id text, id uuid, pipeline_run_id uuid, state text, version int);
  CREATE TABLE job_planner.stage_device (project_id text, id uuid, stage_run_id uuid, target_id uuid, state text, version int,
    waits_for text DEFAULT '', outcome text DEFAULT 'succeeded', place int DEFAULT 0);
  CREATE TABLE job_planner.operation_part (project_id text, id uuid, operation_id uuid, state text, version int, waits_for text DEFAULT '',
    outcome text DEFAULT 'succeeded', place int DEFAULT 0);
  CREATE TABLE job_planner.target_run (project_id text, id uuid, stage_run_id uuid, stage_device_id uuid, step int, state text, version int,
    command_id uuid, command_status text);
  CREATE TABLE device_state.drift (id uuid, state text, version int);
  CREATE TABLE device_state.deployment (id uuid, state text, version int);
  CREATE TABLE command_dispatcher.lane (project_id text, device_id uuid, in_flight uuid);
  CREATE TABLE device_state.device (id uuid, name text, state text, version int, attributes jsonb);
  CREATE TABLE job_planner.journal (seq bigserial, transitions json, notices json);
  CREATE TABLE command_dispatcher.journal (seq bigserial, transitions json, notices json);
  CREATE TABLE device_state.journal (seq bigserial, transitions json, notices json);
  CREATE TABLE job_planner.dead_letter (subject text, reason text);
  CREATE TABLE command_dispatcher.dead_letter (subject text, reason text);
  CREATE TABLE device_state.dead_letter (subject text, reason text);

  INSERT INTO device_state.device VALUES ('d0000000-0000-7000-8000-000000000001', 'd', 'REGISTERED', 1, '{"m1": true}');
  INSERT INTO job_planner.job VALUES ('demo', 'a0000000-0000-7000-8000-000000000001', 'c-1', 'Successful', 3);
  INSERT INTO job_planner.rollout (project_id, id, succeeded, told) VALUES ('demo', 'a0000000-0000-7000-8000-000000000001', 1, 2);
  INSERT INTO job_planner.job_task VALUES ('demo', 'b0000000-0000-7000-8000-000000000001', 'a0000000-0000-7000-8000-000000000001',
    'd0000000-0000-7000-8000-000000000001', 'c0000000-0000-7000-8000-000000000001', 'Successful', 3);
  INSERT INTO command_dispatcher.command VALUES ('demo', 'c0000000-0000-7000-8000-000000000001', 'b0000000-0000-7000-8000-000000000001',
    'd0000000-0000-7000-8000-000000000001', 'SUCCESS', 3, 1, '', '', false, now(), now() + interval '1 hour', now() + interval '1 day',
    'a0000000-0000-7000-8000-000000000001', false, 1);
  INSERT INTO command_dispatcher.lane VALUES ('demo', 'd0000000-0000-7000-8000-000000000001', NULL);

  INSERT INTO command_dispatcher.user_request VALUES ('demo', 'a0000000-0000-7000-8000-000000000002', NULL);
  INSERT INTO command_dispatcher.request_count (project_id, id, "SUCCESS") VALUES ('demo', 'a0000000-0000-7000-8000-000000000002', 1);
  INSERT INTO command_dispatcher.command
    SELECT project_id, 'c0000000-0000-7000-8000-000000000002', 'c0000000-0000-7000-8000-000000000002', device_id, state, version, fence, code, reason,
      cancel_requested, state_at, deadline, expires_at, 'a0000000-0000-7000-8000-000000000002', true, 1 FROM command_dispatcher.command;
  INSERT INTO device_state.operation (project_id, id, state, version, in_success)
    VALUES ('demo', 'f0000000-0000-7000-8000-000000000001', 'SUCCESS', 2, 1);
  INSERT INTO device_state.device_operation VALUES ('demo', 'f0000000-0000-7000-8000-000000000002', 'f0000000-0000-7000-8000-000000000001',
    'd0000000-0000-7000-8000-000000000001', 'c0000000-0000-7000-8000-000000000003', 'SUCCESS', 2, '{"v": 1}');
  INSERT INTO job_planner.rollout (project_id, id, succeeded) VALUES ('demo', 'f0000000-0000-7000-8000-000000000001', 1);
  INSERT INTO job_planner.operation_part VALUES ('demo', 'f0000000-0000-7000-8000-000000000002', 'f0000000-0000-7000-8000-000000000001',
    'Successful', 1);
  INSERT INTO job_planner.journal (transitions) VALUES
    ('[{"entity":"operation-part","to":"Successful","ids":["f0000000-0000-7000-8000-000000000002"],"from":{"all":null},"version":{"all":1}}]');
  INSERT INTO command_dispatcher.command
    SELECT project_id, 'c0000000-0000-7000-8000-000000000003', 'f0000000-0000-7000-8000-000000000002', device_id, state, version, fence, code, reason,
      cancel_requested, state_at, deadline, expires_at, 'f0000000-0000-7000-8000-000000000001', false, 1
    FROM command_dispatcher.command WHERE NOT by_user;
  INSERT INTO device_state.journal (transitions) VALUES
    ('[{"entity":"operation","to":"CREATED","ids":["f0000000-0000-7000-8000-000000000001"],"from":{"all":null},"version":{"all":1}},
       {"entity":"device-operation","to":"CREATED","ids":["f0000000-0000-7000-8000-000000000002"],"from":{"all":null},"version":{"all":1}}]'),
    ('[{"entity":"device-operation","to":"SUCCESS","ids":["f0000000-0000-7000-8000-000000000002"],"from":{"all":"CREATED"},"version":{"all":2}},
       {"entity":"operation","to":"SUCCESS","ids":["f0000000-0000-7000-8000-000000000001"],"from":{"all":"CREATED"},"version":{"all":2}}]');
  INSERT INTO job_planner.pipeline_run VALUES ('demo', '90000000-0000-7000-8000-000000000001', 'p-1', 'success', 1);
  INSERT INTO job_planner.stage_run VALUES ('demo', '90000000-0000-7000-8000-000000000002', '90000000-0000-7000-8000-000000000001', 'success', 1);
  INSERT INTO job_planner.rollout (project_id, id, succeeded) VALUES ('demo', '90000000-0000-7000-8000-000000000002', 1);
  INSERT INTO job_planner.stage_device VALUES ('demo', '90000000-0000-7000-8000-000000000003', '90000000-0000-7000-8000-000000000002',
    'd0000000-0000-7000-8000-000000000001', 'Successful', 1);
  INSERT INTO job_planner.target_run VALUES
    ('demo', '90000000-0000-7000-8000-000000000004', '90000000-0000-7000-8000-000000000002', '90000000-0000-7000-8000-000000000003', 0, 'success', 1,
      'c0000000-0000-7000-8000-000000000004', 'SUCCESS');
  INSERT INTO command_dispatcher.command
    SELECT project_id, 'c0000000-0000-7000-8000-000000000004', '90000000-0000-7000-8000-000000000003', device_id, state, version, fence, code, reason,
      cancel_requested, state_at, deadline, expires_at, '90000000-0000-7000-8000-000000000005', false, 1
    FROM command_dispatcher.command WHERE id = 'c0000000-0000-7000-8000-000000000001';
  INSERT INTO job_planner.journal (transitions) VALUES
    ('[{"entity":"pipeline-run","to":"success","ids":["90000000-0000-7000-8000-000000000001"],"from":{"all":null},"version":{"all":1}},
       {"entity":"stage-run","to":"success","ids":["90000000-0000-7000-8000-000000000002"],"from":{"all":null},"version":{"all":1}},
       {"entity":"stage-device","to":"Successful","ids":["90000000-0000-7000-8000-000000000003"],"from":{"all":null},"version":{"all":1}},
       {"entity":"target-run","to":"success","ids":["90000000-0000-7000-8000-000000000004"],"from":{"all":null},"version":{"all":1}}]');
  INSERT INTO device_state.journal (transitions) VALUES
    ('[{"entity":"device","to":"REGISTERED","ids":["d0000000-0000-7000-8000-000000000001"],"from":{"all":null},"version":{"all":1}}]');
  INSERT INTO job_planner.journal (transitions) VALUES
    ('[{"entity":"job","to":"Waiting","ids":["a0000000-0000-7000-8000-000000000001"],"from":{"all":null},"version":{"all":1}}]'),
    ('[{"entity":"job-task","to":"Waiting","ids":["b0000000-0000-7000-8000-000000000001"],"from":{"all":null},"version":{"all":1}}]'),
    ('[{"entity":"job-task","to":"Running","ids":["b0000000-0000-7000-8000-000000000001"],"from":{"all":"Waiting"},"version":{"all":2}},
       {"entity":"job","to":"Running","ids":["a0000000-0000-7000-8000-000000000001"],"from":{"all":"Waiting"},"version":{"all":2}}]'),
    ('[{"entity":"job-task","to":"Successful","ids":["b0000000-0000-7000-8000-000000000001"],"from":{"all":"Running"},"version":{"all":3}}]'),
    ('[{"entity":"job","to":"Successful","ids":["a0000000-0000-7000-8000-000000000001"],"from":{"all":"Running"},"version":{"all":3}}]');
  INSERT INTO job_planner.journal (transitions, notices) VALUES
    ('[]', '[{"entity":"job","name":"progress","id":"a0000000-0000-7000-8000-000000000001","number":1}]'),
    ('[]', '[{"entity":"job","name":"progress","id":"a0000000-0000-7000-8000-000000000001","number":2}]');
  INSERT INTO command_dispatcher.journal (transitions) VALUES
    ('[{"entity":"command","to":"QUEUED","ids":["c0000000-0000-7000-8000-000000000001","c0000000-0000-7000-8000-000000000002","c0000000-0000-7000-8000-000000000003","c0000000-0000-7000-8000-000000000004"],"from":{"all":null},"version":{"all":1}},
       {"entity":"command","to":"INITIATED","ids":["c0000000-0000-7000-8000-000000000001","c0000000-0000-7000-8000-000000000002","c0000000-0000-7000-8000-000000000003","c0000000-0000-7000-8000-000000000004"],"from":{"all":"QUEUED"},"version":{"all":2}}]'),
    ('[{"entity":"command","to":"SUCCESS","ids":["c0000000-0000-7000-8000-000000000001","c0000000-0000-7000-8000-000000000002","c0000000-0000-7000-8000-000000000003","c0000000-0000-7000-8000-000000000004"],"from":{"all":"INITIATED"},"version":{"all":3}}]');`;

/** What the run has gathered of that world. */
export const ITS_EVIDENCE = `
  INSERT INTO chaos.accepted VALUES ('job', 'a0000000-0000-7000-8000-000000000001', 'c-1'),
    ('register', 'd0000000-0000-7000-8000-000000000001', 'd'), ('patch', 'd0000000-0000-7000-8000-000000000001', 'm1'),
    ('command', 'a0000000-0000-7000-8000-000000000002', ''),
    ('run', '90000000-0000-7000-8000-000000000001', 'p-1'), ('operation', 'f0000000-0000-7000-8000-000000000001', '');
  INSERT INTO chaos.execution SELECT device_id, id, 1, now() FROM command_dispatcher.command;
  INSERT INTO chaos.told SELECT device_id, id, 1, 'success', now() FROM command_dispatcher.command;
  INSERT INTO chaos.event
    SELECT round, 's', t.id || '.' || t.version, t.entity, t.id, t.version, t.was, t.became, md5(t.id || '.' || t.version)
    FROM (SELECT transitions FROM job_planner.journal UNION ALL SELECT transitions FROM command_dispatcher.journal
          UNION ALL SELECT transitions FROM device_state.journal) j,
      ${transitionsOf('j.transitions')} t,
      (VALUES ('live'), ('rebuilt')) AS rounds(round);
  INSERT INTO chaos.notice
    SELECT round, 's', n.id || '.' || n.name || '.' || n.number, n.entity, n.id, n.name, n.number, md5(n.number::text)
    FROM job_planner.journal j, json_to_recordset(j.notices) AS n(entity text, id uuid, name text, number int),
      (VALUES ('live'), ('rebuilt')) AS rounds(round);`;
