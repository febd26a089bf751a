import { COMMAND_STATES } from '@muster/contracts';
import { stateTableColumns } from '@muster/journal';
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Commands1700000002000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE command_request (
        project_id text NOT NULL,
        id uuid NOT NULL,
        command text NOT NULL,
        args jsonb NOT NULL,
        reply_to text NOT NULL,
        terms jsonb NOT NULL,
        by_user boolean NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        asked_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (project_id, id)
      )`);
    await runner.query(`
      CREATE TABLE lane (
        project_id text NOT NULL,
        device_id uuid NOT NULL,
        online boolean NOT NULL,
        presence_version integer NOT NULL,
        in_flight uuid,
        in_flight_fence integer,
        released uuid,
        fence integer NOT NULL DEFAULT 0,
        concurrent boolean NOT NULL DEFAULT false,
        holds boolean NOT NULL DEFAULT false,
        lock_owner uuid,
        lock_fence integer,
        lock_reason text NOT NULL DEFAULT '',
        lock_expires_at timestamptz,
        checked_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (project_id, device_id)
      ) WITH (fillfactor = 50)`);
    await runner.query(`CREATE INDEX lane_unchecked ON lane (checked_at) WHERE NOT online`);
    await runner.query(`CREATE INDEX lane_lock ON lane (lock_expires_at) WHERE lock_expires_at IS NOT NULL`);
    await runner.query(`
      CREATE TABLE user_request (
        project_id text NOT NULL,
        id uuid NOT NULL,
        body jsonb NOT NULL,
        timezone text NOT NULL,
        created_by uuid NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        expanded boolean NOT NULL DEFAULT false,
        cursor text NOT NULL DEFAULT '',
        cancelled_at timestamptz,
        reason text NOT NULL DEFAULT '',
        due_at timestamptz,
        PRIMARY KEY (project_id, id)
      )`);
    await runner.query(`CREATE INDEX user_request_due ON user_request (due_at) WHERE due_at IS NOT NULL`);
    await runner.query(`
      CREATE TABLE request_count (
        project_id text NOT NULL,
        id uuid NOT NULL,
        total integer NOT NULL DEFAULT 0,
        ${COMMAND_STATES.map((state) => `"${state}" integer NOT NULL DEFAULT 0`).join(', ')},
        updated_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (project_id, id)
      ) WITH (fillfactor = 70)`);
    await runner.query(`
      CREATE TABLE command_cancel (
        project_id text NOT NULL,
        id uuid NOT NULL,
        reason text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (project_id, id)
      )`);
    await runner.query(`
      CREATE TABLE command (
        ${stateTableColumns({ activity: true, traced: true })},
        request_id uuid NOT NULL,
        device_id uuid NOT NULL,
        ref uuid NOT NULL,
        args jsonb NOT NULL,
        priority integer NOT NULL,
        in_progress_seconds integer NOT NULL,
        offline_seconds integer NOT NULL,
        attempt integer NOT NULL DEFAULT 0,
        fence integer NOT NULL DEFAULT 0,
        sends integer NOT NULL DEFAULT 0,
        expires_at timestamptz NOT NULL,
        deadline timestamptz,
        due_at timestamptz,
        cancel_requested boolean NOT NULL DEFAULT false,
        progress double precision,
        code text NOT NULL DEFAULT '',
        evidence jsonb,
        by_user boolean NOT NULL DEFAULT false,
        retries boolean NOT NULL DEFAULT false,
        concurrent boolean NOT NULL DEFAULT false,
        lock_owner uuid,
        hold_offline boolean NOT NULL DEFAULT false,
        held boolean NOT NULL DEFAULT false,
        turn integer NOT NULL DEFAULT 0,
        timezone text,
        window_opens timestamptz,
        window_closes timestamptz,
        failures jsonb NOT NULL DEFAULT '[]',
        late_answer jsonb,
        PRIMARY KEY (project_id, id)
      ) WITH (fillfactor = 70)`);
    await runner.query(
      `CREATE INDEX command_queue ON command (project_id, device_id, concurrent, priority DESC, id) WHERE state = 'QUEUED'`,
    );
    await runner.query(
      `CREATE INDEX command_concurrent ON command (project_id, device_id) WHERE concurrent AND state IN ('INITIATED', 'ACKNOWLEDGED', 'INPROGRESS')`,
    );
    await runner.query(
      `CREATE INDEX command_of_lock ON command (project_id, device_id) WHERE lock_owner IS NOT NULL AND state = 'QUEUED'`,
    );
    await runner.query(
      `CREATE INDEX command_held ON command (project_id, device_id) WHERE held AND state IN ('QUEUED', 'SCHEDULED')`,
    );
    await runner.query(`CREATE INDEX command_of_request ON command (project_id, request_id, id) WHERE by_user`);
    await runner.query(`CREATE INDEX command_of_device ON command (project_id, device_id, id)`);
    await runner.query(`CREATE INDEX command_due ON command (due_at) WHERE due_at IS NOT NULL`);
  }

  // Forward only.
  async down(): Promise<void> {}
}
