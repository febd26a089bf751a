import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Timeline1700000001400 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // The time at which a row is written, while its device is locked: that of the transaction would be older than what it waited for.
    await runner.query(`
      CREATE TABLE device_history (
        project_id text NOT NULL,
        device_id uuid NOT NULL,
        at timestamptz NOT NULL DEFAULT clock_timestamp(),
        id uuid NOT NULL,
        entity text NOT NULL,
        entity_id uuid NOT NULL,
        state text NOT NULL,
        reason text NOT NULL,
        detail jsonb NOT NULL,
        CONSTRAINT device_history_pkey PRIMARY KEY (project_id, device_id, at, id)
      )`);
    await runner.query(`CREATE INDEX device_history_at ON device_history (at)`);
  }

  // Forward only.
  async down(): Promise<void> {}
}
