import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Credentials1700000001050 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE device_credential (
        project_id text NOT NULL,
        id uuid NOT NULL,
        device_id uuid NOT NULL,
        public_key text NOT NULL,
        issued_at timestamptz NOT NULL,
        expires_at timestamptz NOT NULL,
        revoked_at timestamptz,
        created_by uuid NOT NULL,
        CONSTRAINT device_credential_pkey PRIMARY KEY (project_id, id)
      )`);
    await runner.query(`CREATE INDEX device_credential_device ON device_credential (project_id, device_id, id)`);
    await runner.query(`CREATE UNIQUE INDEX device_credential_key ON device_credential (public_key)`);
    await runner.query(`CREATE INDEX device_credential_expires ON device_credential (expires_at)`);
    await runner.query(
      `CREATE INDEX device_credential_revoked ON device_credential (revoked_at) WHERE revoked_at IS NOT NULL`,
    );
  }

  // Forward only.
  async down(): Promise<void> {}
}
