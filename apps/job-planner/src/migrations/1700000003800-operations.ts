import { stateTableColumns } from '@muster/journal';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { targetColumns, targetIndexes } from '../rollout/target.table.js';

export class Operations1700000003800 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE operation_part (
        ${stateTableColumns({ activity: false, traced: false })},
        operation_id uuid NOT NULL,
        target_id uuid NOT NULL,
        ${targetColumns},
        PRIMARY KEY (project_id, id)
      ) WITH (fillfactor = 70)`);
    await runner.query(`CREATE INDEX operation_part_of_operation ON operation_part (project_id, operation_id, id)`);
    for (const index of targetIndexes('operation_part', 'operation_id')) await runner.query(index);
    await runner.query(`
      CREATE TABLE operation_part_removal (
        project_id text NOT NULL,
        operation_id uuid NOT NULL,
        PRIMARY KEY (project_id, operation_id)
      )`);
    await runner.query(
      `CREATE INDEX rollout_finished ON rollout (rested_at) WHERE family = 'operation' AND at_rest AND parts_deleted_at IS NULL`,
    );
  }

  // Forward only.
  async down(): Promise<void> {}
}
