import { testPostgres, type TestPostgres } from '@muster/testing';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { claimed, type Claim } from './claim.js';
import type { RunnerKey } from './runner.js';

let postgres: TestPostgres;
let observer: pg.Client;
let worker: pg.Client;
let sweeps: pg.Client[];

beforeAll(async () => {
  postgres = await testPostgres();
  const connectionString = await postgres.createDatabase();
  const clients = Array.from({ length: 4 }, () => new pg.Client({ connectionString }));
  await Promise.all(clients.map((client) => client.connect()));
  [observer, worker, ...sweeps] = clients as [pg.Client, pg.Client, ...pg.Client[]];
  await observer.query('CREATE TABLE thing (project_id text, id text, due_at timestamptz, work integer)');
});
afterAll(async () => {
  await Promise.all([observer, worker, ...sweeps].map((client) => client.end()));
  await postgres.stop();
});
beforeEach(async () => {
  await observer.query('DELETE FROM thing');
  await observer.query(
    `INSERT INTO thing SELECT 'acme', name, now() - interval '1 minute', 0 FROM unnest($1::text[]) name`,
    [['busy', 'free']],
  );
});

const take = async (claim: Claim, sweep = sweeps[0]!): Promise<string[]> => {
  const { rows } = await sweep.query<RunnerKey>(
    `UPDATE thing SET due_at = now() + make_interval(secs => $1) FROM ${claimed('thing', 'due_at', claim)}
     WHERE thing.project_id = due.project_id AND thing.id = due.id RETURNING thing.project_id, thing.id`,
    [claim.seconds],
  );
  return rows.map(({ id }) => id);
};

/** Works on the busy thing until it is told to end. */
async function workOnIt(): Promise<() => Promise<unknown>> {
  await worker.query('BEGIN');
  await worker.query(`UPDATE thing SET work = work + 1 WHERE id = 'busy'`);
  return () => worker.query('COMMIT');
}

const isWaitedFor = async () => {
  const { rowCount } = await observer.query(
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
    await observer.query(`UPDATE thing SET due_at = now() WHERE id = 'free'`);
    const overdue: Claim = { limit: 1, seconds: 30, overdueBy: 20 };
    const end = await workOnIt();
    const both = Promise.all(sweeps.map((sweep) => take(overdue, sweep)));
    await vi.waitUntil(isWaitedFor);
    await end();
    expect((await both).flat()).toEqual(['busy']);
    expect(await take(overdue)).toEqual([]);
  });
});
