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
        released uuid,
        fence integer NOT NULL DEFAULT 0,
        checked_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (project_id, device_id)
      ) WITH (fillfactor = 70)`);
    await runner.query(`CREATE INDEX lane_unchecked ON lane (checked_at) WHERE NOT online`);
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
        PRIMARY KEY (project_id, id)
      ) WITH (fillfactor = 70)`);
    await runner.query(
      `CREATE INDEX command_queue ON command (project_id, device_id, priority DESC, id) WHERE state = 'QUEUED'`,
    );
    await runner.query(`CREATE INDEX command_due ON command (due_at) WHERE due_at IS NOT NULL`);
  }

  // Forward only.
  async down(): Promise<void> {}
}
