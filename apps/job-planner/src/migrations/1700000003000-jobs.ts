import { stateTableColumns } from '@muster/journal';
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Jobs1700000003000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE job (
        ${stateTableColumns({ activity: true, traced: true })},
        job_name text NOT NULL,
        job_type text NOT NULL,
        description text NOT NULL,
        tags text[] NOT NULL,
        target_type text NOT NULL,
        target_ids jsonb,
        target_query jsonb,
        task_data text NOT NULL,
        rollout jsonb NOT NULL,
        created_by text NOT NULL,
        max_in_flight integer NOT NULL,
        wish text NOT NULL DEFAULT 'run',
        planned boolean NOT NULL DEFAULT false,
        plan_cursor text NOT NULL DEFAULT '',
        reopening boolean NOT NULL DEFAULT false,
        round integer NOT NULL DEFAULT 0,
        due_at timestamptz,
        task_total integer NOT NULL DEFAULT 0,
        pending integer NOT NULL DEFAULT 0,
        in_flight integer NOT NULL DEFAULT 0,
        stopping integer NOT NULL DEFAULT 0,
        succeeded integer NOT NULL DEFAULT 0,
        failed integer NOT NULL DEFAULT 0,
        timed_out integer NOT NULL DEFAULT 0,
        cancelled integer NOT NULL DEFAULT 0,
        tasks_deleted_at timestamptz,
        PRIMARY KEY (project_id, id)
      ) WITH (fillfactor = 50)`);
    await runner.query(`CREATE INDEX job_list ON job (project_id, created_at, id)`);
    await runner.query(`CREATE INDEX job_due ON job (due_at) WHERE due_at IS NOT NULL`);
    await runner.query(
      `CREATE INDEX job_finished ON job (state_at) WHERE tasks_deleted_at IS NULL
         AND (state IN ('Successful', 'Partially_successful', 'Failed', 'Timed_out') OR state = 'Stopped' AND wish = 'cancel')`,
    );
    await runner.query(
      `CREATE INDEX job_open ON job (project_id) WHERE due_at IS NOT NULL OR state = 'Stopped' AND wish = 'pause'`,
    );
    await runner.query(`
      CREATE TABLE job_task (
        ${stateTableColumns({ activity: false, traced: false })},
        job_id uuid NOT NULL,
        target_id uuid NOT NULL,
        target_name text NOT NULL,
        task_name text NOT NULL,
        deployment_id uuid,
        command_id uuid,
        round integer NOT NULL DEFAULT 0,
        ask_at timestamptz,
        asks integer NOT NULL DEFAULT 0,
        PRIMARY KEY (project_id, id)
      ) WITH (fillfactor = 70)`);
    await runner.query(`CREATE INDEX job_task_job ON job_task (project_id, job_id, id)`);
    await runner.query(`CREATE INDEX job_task_target ON job_task (project_id, target_id)`);
    await runner.query(`CREATE INDEX job_task_waiting ON job_task (project_id, job_id, id) WHERE state = 'Waiting'`);
    await runner.query(
      `CREATE INDEX job_task_in_flight ON job_task (project_id, job_id, id) WHERE state IN ('Running', 'Stopping')`,
    );
    await runner.query(
      `CREATE INDEX job_task_unsuccessful ON job_task (project_id, job_id, id) WHERE state IN ('Failed', 'Timed_out', 'Stopped')`,
    );
    await runner.query(`
      CREATE TABLE task_removal (
        project_id text NOT NULL,
        job_id uuid NOT NULL,
        PRIMARY KEY (project_id, job_id)
      )`);
  }

  // Forward only.
  async down(): Promise<void> {}
}
