import { stateTableColumns } from '@muster/journal';
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Drift1700000001200 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE drift (
        ${stateTableColumns({ activity: false, traced: false })},
        device_id uuid NOT NULL,
        paths text[] NOT NULL DEFAULT '{}',
        source_id uuid,
        repetition_id uuid,
        attempts integer NOT NULL DEFAULT 0,
        window_start timestamptz,
        due_at timestamptz,
        CONSTRAINT drift_pkey PRIMARY KEY (project_id, id)
      )`);
    await runner.query(`CREATE INDEX drift_open ON drift (project_id, id) WHERE state = 'DRIFTED'`);
    await runner.query(`CREATE INDEX drift_due ON drift (due_at) WHERE due_at IS NOT NULL`);
  }

  // Forward only.
  async down(): Promise<void> {}
}
