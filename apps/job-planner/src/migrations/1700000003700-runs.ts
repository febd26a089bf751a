import { stateTableColumns } from '@muster/journal';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { targetColumns, targetIndexes } from '../rollout/target.table.js';

const authored = `
  created_by integer NOT NULL,
  updated_by integer NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  started_at timestamptz,
  ended_at timestamptz`;

export class Runs1700000003700 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE pipeline_run (
        ${stateTableColumns({ activity: false, traced: true })},
        pipeline_id uuid NOT NULL,
        pipeline_name text NOT NULL,
        run_number integer NOT NULL,
        started_by uuid NOT NULL,
        wish text NOT NULL DEFAULT 'run',
        waits boolean NOT NULL DEFAULT false,
        promoted integer NOT NULL DEFAULT 0,
        deadline timestamptz NOT NULL,
        due_at timestamptz,
        told integer NOT NULL DEFAULT 0,
        told_at timestamptz NOT NULL DEFAULT now(),
        tell_at timestamptz,
        ${authored},
        PRIMARY KEY (project_id, id)
      )`);
    await runner.query(`CREATE UNIQUE INDEX pipeline_run_number ON pipeline_run (project_id, pipeline_id, run_number)`);
    await runner.query(`CREATE INDEX pipeline_run_list ON pipeline_run (project_id, created_at, id)`);
    await runner.query(
      `CREATE UNIQUE INDEX pipeline_run_open ON pipeline_run (project_id, pipeline_id) WHERE due_at IS NOT NULL`,
    );
    await runner.query(`CREATE INDEX pipeline_run_untold ON pipeline_run (tell_at) WHERE tell_at IS NOT NULL`);
    await runner.query(`CREATE INDEX pipeline_run_due ON pipeline_run (due_at) WHERE due_at IS NOT NULL`);
    await runner.query(`
      CREATE TABLE stage_run (
        ${stateTableColumns({ activity: false, traced: false })},
        pipeline_id uuid NOT NULL,
        pipeline_run_id uuid NOT NULL,
        stage_id uuid NOT NULL,
        place integer NOT NULL,
        meta jsonb NOT NULL,
        target_list_ids jsonb NOT NULL,
        ending text,
        deadline timestamptz,
        target_runs_deleted_at timestamptz,
        ${authored},
        PRIMARY KEY (project_id, id)
      )`);
    await runner.query(`CREATE UNIQUE INDEX stage_run_of_run ON stage_run (project_id, pipeline_run_id, place)`);
    await runner.query(`CREATE INDEX stage_run_due ON stage_run (deadline) WHERE deadline IS NOT NULL`);
    await runner.query(
      `CREATE INDEX stage_run_finished ON stage_run (state_at) WHERE target_runs_deleted_at IS NULL AND from_state <> 'pending'
         AND state IN ('success', 'failure', 'cancelled', 'timeout', 'invalid')`,
    );
    await runner.query(`
      CREATE TABLE stage_run_removal (
        project_id text NOT NULL,
        stage_run_id uuid NOT NULL,
        PRIMARY KEY (project_id, stage_run_id)
      )`);
    await runner.query(`
      CREATE TABLE stage_run_operation (
        project_id text NOT NULL,
        id uuid NOT NULL,
        stage_run_id uuid NOT NULL,
        step integer NOT NULL,
        operation_type text NOT NULL,
        args jsonb NOT NULL,
        created_by integer NOT NULL,
        updated_by integer NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (project_id, id)
      )`);
    await runner.query(
      `CREATE UNIQUE INDEX stage_run_operation_step ON stage_run_operation (project_id, stage_run_id, step)`,
    );
    await runner.query(`
      CREATE TABLE stage_device (
        ${stateTableColumns({ activity: false, traced: false })},
        stage_run_id uuid NOT NULL,
        target_id uuid NOT NULL,
        list_target_id uuid NOT NULL,
        device_alias text NOT NULL,
        added_by integer,
        step integer NOT NULL DEFAULT 0,
        target_run_id uuid,
        ${targetColumns},
        PRIMARY KEY (project_id, id)
      ) WITH (fillfactor = 70)`);
    await runner.query(`CREATE INDEX stage_device_of_run ON stage_device (project_id, stage_run_id, id)`);
    for (const index of targetIndexes('stage_device', 'stage_run_id')) await runner.query(index);
    await runner.query(
      `CREATE INDEX stage_device_again ON stage_device (project_id, stage_run_id, target_run_id)
         WHERE state = 'Waiting' AND waits_for = '' AND releases > 0`,
    );
    await runner.query(`
      CREATE TABLE target_run (
        ${stateTableColumns({ activity: false, traced: false })},
        stage_run_id uuid NOT NULL,
        stage_device_id uuid NOT NULL,
        stage_run_operation_id uuid NOT NULL,
        step integer NOT NULL,
        target_id uuid NOT NULL,
        device_id uuid NOT NULL,
        timezone text,
        device_alias text NOT NULL,
        command_id uuid,
        command_status text NOT NULL DEFAULT '',
        code text NOT NULL DEFAULT '',
        attempts integer NOT NULL DEFAULT 0,
        ${authored},
        PRIMARY KEY (project_id, id)
      ) WITH (fillfactor = 70)`);
    await runner.query(`CREATE INDEX target_run_order ON target_run (project_id, stage_run_id, stage_device_id, step)`);
    await runner.query(`CREATE UNIQUE INDEX target_run_of_device ON target_run (project_id, stage_device_id, step)`);
    // Not by its state, so that a change of that need not touch the indexes.
    await runner.query(
      `CREATE INDEX target_run_to_come ON target_run (project_id, stage_run_id, id)
         WHERE started_at IS NULL AND ended_at IS NULL`,
    );
    await runner.query(
      `CREATE INDEX target_run_to_come_in_zone ON target_run (project_id, stage_run_id, timezone, id)
         WHERE started_at IS NULL AND ended_at IS NULL AND timezone IS NOT NULL`,
    );
  }

  // Forward only.
  async down(): Promise<void> {}
}
