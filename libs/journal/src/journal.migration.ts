import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The tables that every service has beside its own: what happened, what could not be handled, and what is handled with care. */
export class Journal1700000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE SEQUENCE journal_seq`);
    // Nobody looks into the JSON but the relay, which takes the whole: as jsonb it would be taken apart and put together for nothing.
    await runner.query(`
      CREATE TABLE journal (
        seq bigint NOT NULL DEFAULT nextval('journal_seq'),
        day date NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')::date,
        at timestamptz NOT NULL DEFAULT now(),
        project_id text NOT NULL,
        transitions json NOT NULL,
        notices json,
        work json NOT NULL,
        traceparent text,
        published boolean NOT NULL DEFAULT false,
        told bigint,
        stream_seq bigint,
        PRIMARY KEY (day, seq)
      ) PARTITION BY RANGE (day)`);
    // Takes a third of the time of pglz; a server may be built without it.
    await runner.query(`
      DO $$ BEGIN
        ALTER TABLE journal ALTER COLUMN transitions SET COMPRESSION lz4, ALTER COLUMN work SET COMPRESSION lz4;
      EXCEPTION WHEN feature_not_supported THEN NULL;
      END $$`);
    await runner.query(`CREATE INDEX journal_unpublished ON journal (seq) WHERE NOT published`);
    // What the event stream lost, and what a rebuild tells again, are ranges of the order in which rows were published.
    await runner.query(`CREATE INDEX journal_told ON journal (told) WHERE told IS NOT NULL`);
    await runner.query(`
      CREATE TABLE retelling (
        after bigint NOT NULL,
        up_to bigint NOT NULL,
        events bigint NOT NULL
      )`);
    await runner.query(`INSERT INTO retelling VALUES (0, 0, 0)`);
    // Rows land here only when the day's partition could not be made in time; nothing is refused for that.
    await runner.query(`CREATE TABLE journal_default PARTITION OF journal DEFAULT`);
    await runner.query(`
      CREATE TABLE dead_letter (
        id uuid PRIMARY KEY,
        name text UNIQUE,
        project_id text,
        subject text NOT NULL,
        headers jsonb NOT NULL,
        payload bytea NOT NULL,
        reason text NOT NULL,
        deliveries integer NOT NULL,
        parked_at timestamptz NOT NULL DEFAULT now()
      )`);
    await runner.query(`CREATE INDEX dead_letter_project ON dead_letter (project_id, id)`);
    await runner.query(`
      CREATE TABLE watched_delivery (
        message text PRIMARY KEY,
        reader uuid NOT NULL,
        lost_readers integer NOT NULL DEFAULT 0,
        since timestamptz NOT NULL DEFAULT now()
      )`);
  }

  // Forward only.
  async down(): Promise<void> {}
}
