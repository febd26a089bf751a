import { stateTableColumns } from '@muster/journal';
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Drift1700000001200 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE drift (
        ${stateTableColumns({ activity: false, traced: false })},
        device_id uuid NOT NULL,
        paths text[] NOT NULL DEFAULT '{}',
        CONSTRAINT drift_pkey PRIMARY KEY (project_id, id)
      )`);
    await runner.query(`CREATE INDEX drift_open ON drift (project_id, id) WHERE state = 'DRIFTED'`);
  }

  // Forward only.
  async down(): Promise<void> {}
}
