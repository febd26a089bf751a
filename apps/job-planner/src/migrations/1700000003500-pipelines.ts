import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The columns of every definition. */
const DEFINITION = `
        project_id text NOT NULL,
        id uuid NOT NULL,
        created_by integer NOT NULL,
        updated_by integer NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (project_id, id)`;

const foreignKey = (name: string, column: string, table: string) =>
  `CONSTRAINT ${name} FOREIGN KEY (project_id, ${column}) REFERENCES ${table} (project_id, id) ON DELETE CASCADE`;

export class Pipelines1700000003500 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE pipeline (${DEFINITION},
        name text COLLATE "C" NOT NULL,
        description text NOT NULL,
        is_active boolean NOT NULL,
        is_default boolean NOT NULL,
        timeout_seconds integer NOT NULL,
        last_run_number integer NOT NULL DEFAULT 0
      )`);
    await runner.query(`CREATE INDEX pipeline_name ON pipeline (project_id, name, id)`);
    await runner.query(`
      CREATE TABLE stage (${DEFINITION},
        pipeline_id uuid NOT NULL,
        name text NOT NULL,
        description text NOT NULL,
        timeout_seconds integer NOT NULL,
        "order" integer NOT NULL,
        promotion text NOT NULL,
        on_failure text NOT NULL,
        rollout jsonb NOT NULL,
        CONSTRAINT stage_order UNIQUE (project_id, pipeline_id, "order") DEFERRABLE INITIALLY IMMEDIATE,
        ${foreignKey('stage_of_pipeline', 'pipeline_id', 'pipeline')}
      )`);
    await runner.query(`
      CREATE TABLE target_list (${DEFINITION},
        pipeline_id uuid NOT NULL,
        name text NOT NULL,
        target_list_type text NOT NULL,
        ${foreignKey('target_list_of_pipeline', 'pipeline_id', 'pipeline')}
      )`);
    await runner.query(`CREATE INDEX target_list_pipeline ON target_list (project_id, pipeline_id, id)`);
    await runner.query(`
      CREATE TABLE target (${DEFINITION},
        pipeline_id uuid NOT NULL,
        target_list_id uuid NOT NULL,
        device_id uuid NOT NULL,
        device_name text NOT NULL,
        device_alias text NOT NULL,
        is_active boolean NOT NULL
      )`);
    await runner.query(`CREATE UNIQUE INDEX target_device ON target (project_id, target_list_id, device_id)`);
    await runner.query(`CREATE INDEX target_list_order ON target (project_id, target_list_id, id)`);
    await runner.query(`CREATE INDEX target_active ON target (project_id, target_list_id, id) WHERE is_active`);
    await runner.query(`
      CREATE TABLE target_removal (
        project_id text NOT NULL,
        target_list_id uuid NOT NULL,
        PRIMARY KEY (project_id, target_list_id)
      )`);
    await runner.query(`
      CREATE TABLE target_list_device_group (${DEFINITION},
        pipeline_id uuid NOT NULL,
        target_list_id uuid NOT NULL,
        device_group_id uuid NOT NULL,
        ${foreignKey('device_group_of_target_list', 'target_list_id', 'target_list')}
      )`);
    await runner.query(
      `CREATE UNIQUE INDEX target_list_device_group_once
       ON target_list_device_group (project_id, target_list_id, device_group_id)`,
    );
    await runner.query(`
      CREATE TABLE stage_target_list (
        project_id text NOT NULL,
        stage_id uuid NOT NULL,
        target_list_id uuid NOT NULL,
        PRIMARY KEY (project_id, stage_id, target_list_id),
        ${foreignKey('target_list_of_stage', 'stage_id', 'stage')},
        ${foreignKey('stage_of_target_list', 'target_list_id', 'target_list')}
      )`);
    await runner.query(`CREATE INDEX stage_target_list_list ON stage_target_list (project_id, target_list_id)`);
    await runner.query(`
      CREATE TABLE operation_list (${DEFINITION},
        pipeline_id uuid NOT NULL,
        stage_id uuid NOT NULL,
        name text NOT NULL,
        description text NOT NULL,
        ${foreignKey('operation_list_of_stage', 'stage_id', 'stage')}
      )`);
    await runner.query(`CREATE INDEX operation_list_stage ON operation_list (project_id, stage_id, id)`);
    await runner.query(`
      CREATE TABLE pipeline_operation (${DEFINITION},
        pipeline_id uuid NOT NULL,
        stage_id uuid NOT NULL,
        operation_list_id uuid NOT NULL,
        operation_type text NOT NULL,
        args jsonb NOT NULL,
        place bigint GENERATED ALWAYS AS IDENTITY,
        ${foreignKey('pipeline_operation_of_list', 'operation_list_id', 'operation_list')}
      )`);
    await runner.query(
      `CREATE INDEX pipeline_operation_list ON pipeline_operation (project_id, operation_list_id, place)`,
    );
    await runner.query(`CREATE INDEX pipeline_operation_stage ON pipeline_operation (project_id, stage_id, place)`);
  }

  // Forward only.
  async down(): Promise<void> {}
}
