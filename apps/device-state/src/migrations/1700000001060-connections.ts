import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Connections1700000001060 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE device_connection (
        project_id text NOT NULL,
        device_id uuid NOT NULL,
        server_id text NOT NULL,
        client_id bigint NOT NULL,
        server_name text NOT NULL,
        connected boolean NOT NULL,
        ended_at timestamptz,
        CONSTRAINT device_connection_pkey PRIMARY KEY (project_id, device_id, server_id, client_id)
      )`);
    await runner.query(
      `CREATE INDEX device_connection_ended ON device_connection (ended_at) WHERE ended_at IS NOT NULL`,
    );
  }

  // Forward only.
  async down(): Promise<void> {}
}
