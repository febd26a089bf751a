import { stateTableColumns } from '@muster/journal';
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Deployments1700000001300 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE deployment (
        ${stateTableColumns({ activity: false, traced: false })},
        updated_at timestamptz NOT NULL DEFAULT now(),
        device_id uuid NOT NULL,
        name text NOT NULL,
        deployed_version text NOT NULL,
        command_id uuid NOT NULL,
        args jsonb NOT NULL,
        versions jsonb NOT NULL,
        CONSTRAINT deployment_pkey PRIMARY KEY (project_id, id)
      )`);
    await runner.query(`CREATE INDEX deployment_device ON deployment (project_id, device_id, id)`);
    await runner.query(`CREATE INDEX deployment_name ON deployment (project_id, name, id) WHERE name <> ''`);
  }

  // Forward only.
  async down(): Promise<void> {}
}
