import { stateTableColumns } from '@muster/journal';
import { targetColumns, targetIndexes } from '../rollout/target.table.js';
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Jobs1700000003000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE job (
        ${stateTableColumns({ activity: true, traced: true })},
        job_name text NOT NULL,
        job_type text NOT NULL,
        description text NOT NULL,
        tags text[] NOT NULL,
        target_type text NOT NULL,
        target_ids jsonb,
        target_query jsonb,
        target_groups jsonb NOT NULL DEFAULT '[]',
        task_data text NOT NULL,
        created_by text NOT NULL,
        cancelled boolean NOT NULL DEFAULT false,
        rollback_of uuid,
        rollback_job_id uuid,
        tasks_deleted_at timestamptz,
        PRIMARY KEY (project_id, id)
      )`);
    await runner.query(`CREATE INDEX job_list ON job (project_id, created_at, id)`);
    await runner.query(
      `CREATE INDEX job_finished ON job (state_at) WHERE tasks_deleted_at IS NULL
         AND (state IN ('Successful', 'Partially_successful', 'Failed', 'Timed_out') OR state = 'Stopped' AND cancelled)`,
    );
    await runner.query(`
      CREATE TABLE rollout (
        project_id text NOT NULL,
        id uuid NOT NULL,
        family text NOT NULL,
        spec jsonb NOT NULL,
        command text NOT NULL,
        args jsonb NOT NULL,
        traceparent text,
        wish text NOT NULL DEFAULT 'run',
        reason text NOT NULL DEFAULT '',
        at_rest boolean NOT NULL DEFAULT false,
        waits_for text NOT NULL DEFAULT 'resolve',
        due_at timestamptz,
        planned boolean NOT NULL DEFAULT false,
        cut boolean NOT NULL DEFAULT false,
        pass integer NOT NULL DEFAULT 0,
        plan_cursor text NOT NULL DEFAULT '',
        pass_from integer NOT NULL DEFAULT 0,
        query_waves jsonb NOT NULL DEFAULT '{}',
        placed integer NOT NULL DEFAULT 0,
        rescan_at timestamptz,
        zones text[] NOT NULL DEFAULT '{}',
        waves jsonb NOT NULL DEFAULT '[]',
        wave integer NOT NULL DEFAULT 0,
        paid_until timestamptz,
        baseline jsonb,
        reopening boolean NOT NULL DEFAULT false,
        round integer NOT NULL DEFAULT 0,
        retries integer NOT NULL DEFAULT 0,
        waits_until timestamptz,
        zone_windows jsonb NOT NULL DEFAULT '{}',
        released_at timestamptz,
        rested_at timestamptz,
        parts_deleted_at timestamptz,
        durations jsonb NOT NULL DEFAULT '{}',
        began_at timestamptz,
        held_at timestamptz,
        recent double precision NOT NULL DEFAULT 0,
        recent_at timestamptz,
        told integer NOT NULL DEFAULT 0,
        told_at timestamptz NOT NULL DEFAULT now(),
        tell_at timestamptz,
        unheard boolean NOT NULL DEFAULT false,
        pending integer NOT NULL DEFAULT 0,
        offline integer NOT NULL DEFAULT 0,
        in_flight integer NOT NULL DEFAULT 0,
        stopping integer NOT NULL DEFAULT 0,
        succeeded integer NOT NULL DEFAULT 0,
        failed integer NOT NULL DEFAULT 0,
        timed_out integer NOT NULL DEFAULT 0,
        never_contacted integer NOT NULL DEFAULT 0,
        rejected integer NOT NULL DEFAULT 0,
        unknown integer NOT NULL DEFAULT 0,
        cancelled integer NOT NULL DEFAULT 0,
        PRIMARY KEY (project_id, id)
      ) WITH (fillfactor = 50)`);
    await runner.query(`CREATE INDEX rollout_due ON rollout (due_at) WHERE due_at IS NOT NULL`);
    await runner.query(`CREATE INDEX rollout_untold ON rollout (tell_at) WHERE tell_at IS NOT NULL`);
    await runner.query(`CREATE INDEX rollout_unheard ON rollout (project_id, id) WHERE unheard`);
    await runner.query(
      `CREATE INDEX rollout_open ON rollout (project_id) WHERE due_at IS NOT NULL OR at_rest AND wish = 'pause'`,
    );
    await runner.query(`
      CREATE TABLE job_task (
        ${stateTableColumns({ activity: false, traced: false })},
        job_id uuid NOT NULL,
        target_id uuid NOT NULL,
        target_name text NOT NULL,
        node_name text,
        task_name text NOT NULL,
        deployment_id uuid,
        args jsonb,
        ${targetColumns},
        PRIMARY KEY (project_id, id)
      ) WITH (fillfactor = 70)`);
    await runner.query(`CREATE INDEX job_task_job ON job_task (project_id, job_id, id)`);
    for (const index of targetIndexes('job_task', 'job_id')) await runner.query(index);
    await runner.query(
      `CREATE INDEX job_task_to_come_in_zone ON job_task (project_id, job_id, timezone, id)
         WHERE state = 'Waiting' AND waits_for = '' AND timezone IS NOT NULL`,
    );
    await runner.query(`
      CREATE TABLE task_removal (
        project_id text NOT NULL,
        job_id uuid NOT NULL,
        PRIMARY KEY (project_id, job_id)
      )`);
    await runner.query(`
      CREATE TABLE approval (
        ${stateTableColumns({ activity: false, traced: false })},
        subject_entity text NOT NULL,
        subject_id uuid NOT NULL,
        subject_name text NOT NULL,
        wave integer NOT NULL,
        requested_by uuid NOT NULL,
        decided_by uuid,
        PRIMARY KEY (project_id, id)
      )`);
    await runner.query(`CREATE UNIQUE INDEX approval_of_wave ON approval (project_id, subject_id, wave)`);
    await runner.query(`CREATE INDEX approval_pending ON approval (project_id, id) WHERE state = 'pending'`);
  }

  // Forward only.
  async down(): Promise<void> {}
}
