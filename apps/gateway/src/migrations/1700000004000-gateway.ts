import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Gateway1700000004000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE project (
        slug text PRIMARY KEY,
        id uuid NOT NULL CONSTRAINT project_id UNIQUE,
        four_eyes boolean NOT NULL DEFAULT false
      )`);
    await runner.query(`
      CREATE TABLE token (
        id uuid PRIMARY KEY,
        project text NOT NULL CONSTRAINT token_of_project REFERENCES project (slug),
        name text NOT NULL,
        role text NOT NULL,
        secret_hash text NOT NULL CONSTRAINT token_secret UNIQUE,
        actor_id uuid NOT NULL,
        actor_number integer GENERATED ALWAYS AS IDENTITY,
        timezone text NOT NULL DEFAULT 'UTC',
        installation boolean NOT NULL DEFAULT false,
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz,
        revoked_at timestamptz
      )`);
    await runner.query(`CREATE INDEX token_project ON token (project, id)`);
    await runner.query(`
      CREATE TABLE idempotency_key (
        project_id text NOT NULL,
        key text NOT NULL,
        request_hash text NOT NULL,
        resource_id uuid NOT NULL,
        response json,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (project_id, key)
      )`);
    await runner.query(`CREATE INDEX idempotency_key_age ON idempotency_key (created_at)`);
  }

  // Forward only.
  async down(): Promise<void> {}
}
