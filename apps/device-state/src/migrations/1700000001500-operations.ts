import { stateTableColumns } from '@muster/journal';
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Operations1700000001500 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE operation (
        ${stateTableColumns({ activity: true, traced: true })},
        operation text NOT NULL,
        schedule_type text NOT NULL,
        schedule_args jsonb NOT NULL,
        console_timezone text NOT NULL,
        query jsonb NOT NULL,
        refers uuid[] NOT NULL DEFAULT '{}',
        rollout jsonb,
        rollout_state text NOT NULL DEFAULT 'none',
        rollout_waits_for text,
        asked_after uuid,
        arguments jsonb NOT NULL,
        purpose text NOT NULL,
        source_id uuid,
        created_by uuid NOT NULL,
        updated_by uuid NOT NULL,
        updated_at timestamptz NOT NULL DEFAULT now(),
        wish text NOT NULL DEFAULT 'run',
        opens_at timestamptz,
        deadline timestamptz NOT NULL,
        due_at timestamptz,
        wake_at timestamptz,
        resolved boolean NOT NULL DEFAULT false,
        resolve_cursor uuid,
        fault text NOT NULL DEFAULT '',
        in_created integer NOT NULL DEFAULT 0,
        in_initiated integer NOT NULL DEFAULT 0,
        in_dispatched integer NOT NULL DEFAULT 0,
        in_processing integer NOT NULL DEFAULT 0,
        in_completed integer NOT NULL DEFAULT 0,
        in_success integer NOT NULL DEFAULT 0,
        in_failure integer NOT NULL DEFAULT 0,
        in_timeout integer NOT NULL DEFAULT 0,
        in_cancelled integer NOT NULL DEFAULT 0,
        sent integer NOT NULL DEFAULT 0,
        unsent integer NOT NULL DEFAULT 0,
        stopping integer NOT NULL DEFAULT 0,
        devices_deleted_at timestamptz,
        CONSTRAINT operation_pkey PRIMARY KEY (project_id, id)
      ) WITH (fillfactor = 50)`);
    await runner.query(`CREATE INDEX operation_created ON operation (project_id, created_at, id)`);
    await runner.query(`CREATE INDEX operation_updated ON operation (project_id, updated_at, id)`);
    await runner.query(`CREATE INDEX operation_wake ON operation (wake_at) WHERE wake_at IS NOT NULL`);
    await runner.query(`CREATE INDEX operation_due ON operation (project_id, due_at, id) WHERE due_at IS NOT NULL`);
    await runner.query(
      `CREATE INDEX operation_finished ON operation (state_at)
         WHERE devices_deleted_at IS NULL AND state IN ('SUCCESS', 'FAILURE', 'CANCELLED', 'TIMEOUT')`,
    );
    await runner.query(`
      CREATE TABLE device_operation (
        ${stateTableColumns({ activity: true, traced: false })},
        operation_id uuid NOT NULL,
        device_id uuid NOT NULL,
        command_id uuid,
        turn integer NOT NULL DEFAULT 0,
        wanted jsonb,
        cancel_requested boolean NOT NULL DEFAULT false,
        due_at timestamptz,
        ask_at timestamptz,
        asks integer NOT NULL DEFAULT 0,
        CONSTRAINT device_operation_pkey PRIMARY KEY (project_id, id)
      ) WITH (fillfactor = 70)`);
    await runner.query(
      `CREATE UNIQUE INDEX device_operation_device ON device_operation (project_id, operation_id, device_id)`,
    );
    await runner.query(
      `CREATE INDEX device_operation_state ON device_operation (project_id, operation_id, state, device_id)`,
    );
    await runner.query(`CREATE INDEX device_operation_of_device ON device_operation (project_id, device_id, id)`);
    await runner.query(
      `CREATE INDEX device_operation_due ON device_operation (project_id, due_at, id) WHERE due_at IS NOT NULL`,
    );
    // A report looks here for what it may prove: unless a CONVERGE is under way the index is empty.
    await runner.query(
      `CREATE INDEX device_operation_unproven ON device_operation (project_id, device_id)
         WHERE state = 'COMPLETED' OR (wanted IS NOT NULL AND state IN ('INITIATED', 'DISPATCHED', 'PROCESSING'))`,
    );
    await runner.query(
      `CREATE INDEX device_operation_proof_due ON device_operation (due_at) WHERE state = 'COMPLETED'`,
    );
    await runner.query(`
      CREATE TABLE device_operation_removal (
        project_id text NOT NULL,
        operation_id uuid NOT NULL,
        CONSTRAINT device_operation_removal_pkey PRIMARY KEY (project_id, operation_id)
      )`);
  }

  // Forward only.
  async down(): Promise<void> {}
}
