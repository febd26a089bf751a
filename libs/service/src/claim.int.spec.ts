import { testPostgres, type TestPostgres } from '@muster/testing';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { claimed, type Claim } from './claim.js';
import type { RunnerKey } from './runner.js';

let postgres: TestPostgres;
let pool: pg.Pool;

beforeAll(async () => {
  postgres = await testPostgres();
  pool = new pg.Pool({ connectionString: await postgres.createDatabase() });
  await pool.query('CREATE TABLE thing (project_id text, id text, due_at timestamptz, work integer)');
});
afterAll(async () => {
  await pool.end();
  await postgres.stop();
});
beforeEach(async () => {
  await pool.query('DELETE FROM thing');
  await pool.query(
    `INSERT INTO thing SELECT 'acme', name, now() - interval '1 minute', 0 FROM unnest($1::text[]) name`,
    [['busy', 'free']],
  );
});

const take = async (claim: Claim): Promise<string[]> => {
  const { rows } = await pool.query<RunnerKey>(
    `UPDATE thing SET due_at = now() + make_interval(secs => $1) FROM ${claimed('thing', 'due_at', claim)}
     WHERE thing.project_id = due.project_id AND thing.id = due.id RETURNING thing.project_id, thing.id`,
    [claim.seconds],
  );
  return rows.map(({ id }) => id);
};

/** Works on the busy thing until it is told to end. */
async function workOnIt(): Promise<() => Promise<void>> {
  const client = await pool.connect();
  await client.query('BEGIN');
  await client.query(`UPDATE thing SET work = work + 1 WHERE id = 'busy'`);
  return async () => {
    await client.query('COMMIT');
    client.release();
  };
}

const isWaitedFor = async () => {
  const { rowCount } = await pool.query(
    `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%thing%'`,
  );
  return rowCount! > 0;
};

describe('a claim of things that are due', () => {
  it('given one that is being worked on, then it is passed over, and the others are taken', async () => {
    const end = await workOnIt();
    expect(await take({ limit: 10, seconds: 30 })).toEqual(['free']);
    await end();
    expect(await take({ limit: 10, seconds: 30 })).toEqual(['busy']);
    expect(await take({ limit: 10, seconds: 30 })).toEqual([]);
  });

  it('given one that is overdue and being worked on, then who claims what is overdue waits for it, and it is taken once', async () => {
    await pool.query(`UPDATE thing SET due_at = now() WHERE id = 'free'`);
    const overdue: Claim = { limit: 1, seconds: 30, overdueBy: 20 };
    const end = await workOnIt();
    const both = Promise.all([take(overdue), take(overdue)]);
    await vi.waitUntil(isWaitedFor);
    await end();
    expect((await both).flat()).toEqual(['busy']);
    expect(await take(overdue)).toEqual([]);
  });
});
