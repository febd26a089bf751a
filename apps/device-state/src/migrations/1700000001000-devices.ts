import { stateTableColumns } from '@muster/journal';
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class Devices1700000001000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Names sort by code point, so that the unique index serves prefixes. The room left in each page lets a heartbeat write the row's
    // next version beside it, without touching an index.
    await runner.query(`
      CREATE TABLE device (
        ${stateTableColumns({ activity: false, traced: false })},
        updated_at timestamptz NOT NULL DEFAULT now(),
        name text COLLATE "C" NOT NULL,
        alias text NOT NULL DEFAULT '',
        type text NOT NULL,
        timezone text NOT NULL DEFAULT 'UTC',
        tags text[] NOT NULL DEFAULT '{}',
        attributes jsonb NOT NULL DEFAULT '{}',
        desired jsonb NOT NULL DEFAULT '{}',
        reported jsonb NOT NULL DEFAULT '{}',
        converged boolean NOT NULL DEFAULT false,
        drifted boolean NOT NULL DEFAULT false,
        shown jsonb NOT NULL DEFAULT '[]',
        agent jsonb,
        applied jsonb NOT NULL DEFAULT '{}',
        last_seen timestamptz,
        presence_due timestamptz,
        CONSTRAINT device_pkey PRIMARY KEY (project_id, id)
      ) WITH (fillfactor = 50)`);
    await runner.query(`CREATE UNIQUE INDEX device_name ON device (project_id, name)`);
    await runner.query(`CREATE INDEX device_drifted ON device (project_id, id) WHERE drifted`);
    await runner.query(`CREATE INDEX device_presence_due ON device (presence_due) WHERE state = 'ONLINE'`);
  }

  // Forward only.
  async down(): Promise<void> {}
}
