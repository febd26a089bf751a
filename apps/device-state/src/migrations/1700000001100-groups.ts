import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Groups1700000001100 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE device_group (
        project_id text NOT NULL,
        id uuid NOT NULL,
        name text COLLATE "C" NOT NULL,
        parent_id uuid,
        query jsonb,
        refers uuid[] NOT NULL DEFAULT '{}',
        device_count integer,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT device_group_pkey PRIMARY KEY (project_id, id)
      )`);
    await runner.query(`CREATE UNIQUE INDEX device_group_name ON device_group (project_id, name)`);
    await runner.query(`CREATE INDEX device_group_parent ON device_group (project_id, parent_id, id)`);
    // Both ways: a group's devices in the order of their ids, and whether a device is in any of some groups.
    await runner.query(`
      CREATE TABLE group_member (
        project_id text NOT NULL,
        group_id uuid NOT NULL,
        device_id uuid NOT NULL,
        CONSTRAINT group_member_pkey PRIMARY KEY (project_id, group_id, device_id)
      )`);
    await runner.query(`CREATE INDEX group_member_device ON group_member (project_id, device_id, group_id)`);
  }

  // Forward only.
  async down(): Promise<void> {}
}
