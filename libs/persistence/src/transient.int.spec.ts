import { testPostgres, type TestPostgres } from '@muster/testing';
import { createServer, type AddressInfo } from 'node:net';
import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createDataSource, sessionLimits } from './data-source.js';
import { provision } from './provision.js';
import { isLockTimeout, isTransient } from './transient.js';

let postgres: TestPostgres;
let dataSource: DataSource;
let url: string;

const connect = (to: string) =>
  createDataSource({ url: to, schema: 'shop', entities: [], migrations: [] }).initialize();

beforeAll(async () => {
  postgres = await testPostgres();
  url = (await provision(await postgres.createDatabase(), [{ name: 'shop', password: 'x' }]))['shop']!;
  dataSource = await connect(url);
  await dataSource.query(`CREATE TABLE item (id int PRIMARY KEY, price int NOT NULL CHECK (price > 0))`);
  await dataSource.query(`INSERT INTO item VALUES (1, 1), (2, 1)`);
});

afterAll(async () => {
  await dataSource.destroy();
  await postgres.stop();
});

const failure = (action: Promise<unknown>): Promise<unknown> =>
  action.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: unknown) => error,
  );

/** Runs statements in one session that is closed afterwards. */
async function inSession<T>(run: (query: (sql: string) => Promise<unknown>, pid: number) => Promise<T>): Promise<T> {
  const runner = dataSource.createQueryRunner();
  try {
    const [row] = (await runner.query(`SELECT pg_backend_pid() AS pid`)) as { pid: number }[];
    return await run((sql) => runner.query(sql), row!.pid);
  } finally {
    await runner.query('ROLLBACK').catch(() => undefined);
    await runner.release();
  }
}

const blocked = (pid: number) => async () => {
  const rows = await dataSource.query<unknown[]>(`SELECT 1 WHERE cardinality(pg_blocking_pids($1)) > 0`, [pid]);
  return rows.length > 0;
};

describe('trouble of the server', () => {
  it('given a session that is ended between two statements of a transaction, then the next one may be tried again', async () => {
    await inSession(async (query, pid) => {
      await query('BEGIN');
      await dataSource.query('SELECT pg_terminate_backend($1)', [pid]);
      const error = await vi.waitUntil(() =>
        query('SELECT 1').then(
          () => undefined,
          (reason: unknown) => (String(reason).includes('already released') ? reason : undefined),
        ),
      );
      expect(isTransient(error)).toBe(true);
    });
  });

  it('given two transactions that wait for each other, then the one that is broken off may try again', async () => {
    await inSession((one) =>
      inSession(async (two, pid) => {
        await one(`BEGIN`);
        await two(`BEGIN`);
        await one(`UPDATE item SET price = 2 WHERE id = 1`);
        await two(`UPDATE item SET price = 2 WHERE id = 2`);
        const second = two(`UPDATE item SET price = 3 WHERE id = 1`);
        second.catch(() => undefined);
        await vi.waitUntil(blocked(pid));
        const outcomes = await Promise.allSettled([
          second,
          one(`UPDATE item SET price = 3 WHERE id = 2`).then(() => one('COMMIT')),
        ]);
        const [error] = outcomes.flatMap((outcome) =>
          outcome.status === 'rejected' ? [outcome.reason as unknown] : [],
        );
        expect(error).toMatchObject({ code: '40P01' });
        expect(isTransient(error)).toBe(true);
      }),
    );
  });

  it('given two serializable transactions that disagree, then the loser may try again', async () => {
    const error = await inSession(async (query) => {
      await query(`BEGIN ISOLATION LEVEL SERIALIZABLE`);
      await query(`SELECT price FROM item WHERE id = 1`);
      await dataSource.query(`UPDATE item SET price = 7 WHERE id = 1`);
      return failure(query(`UPDATE item SET price = 8 WHERE id = 1`));
    });
    expect(error).toMatchObject({ code: '40001' });
    expect(isTransient(error)).toBe(true);
  });

  it('given a session that the server ends in the middle of a statement, then it may be tried again', async () => {
    const error = await inSession(async (query, pid) => {
      const statement = failure(query(`SELECT pg_sleep(30)`));
      const sleeps = () =>
        dataSource.query<unknown[]>(`SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'`, [pid]);
      await vi.waitUntil(async () => (await sleeps()).length > 0);
      await dataSource.query(`SELECT pg_terminate_backend($1)`, [pid]);
      return statement;
    });
    expect(isTransient(error)).toBe(true);
  });

  it('given a statement that takes too long, then it may be tried again', async () => {
    const error = await inSession(async (query) => {
      await query(`SET statement_timeout = 20`);
      return failure(query(`SELECT pg_sleep(30)`)).finally(() => query(`RESET statement_timeout`));
    });
    expect(error).toMatchObject({ code: '57014' });
    expect(isTransient(error)).toBe(true);
  });

  it('given a server that does not answer at all, then the statement is given up, and may be tried again', async () => {
    const error = await inSession(async (query) => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      try {
        const statement = failure(query(`SELECT pg_sleep(3)`));
        await vi.advanceTimersByTimeAsync(sessionLimits.query_timeout);
        return await statement;
      } finally {
        vi.useRealTimers();
      }
    });
    expect(error).toMatchObject({ message: 'Query read timeout' });
    expect(isTransient(error)).toBe(true);
    expect(sessionLimits.query_timeout).toBeGreaterThan(sessionLimits.statement_timeout);
  });

  it('given a row that is locked, then it may be tried again', async () => {
    const error = await inSession(async (query) => {
      await query(`BEGIN`);
      await query(`SELECT 1 FROM item WHERE id = 1 FOR UPDATE`);
      return failure(dataSource.query(`SELECT 1 FROM item WHERE id = 1 FOR UPDATE NOWAIT`));
    });
    expect(error).toMatchObject({ code: '55P03' });
    expect(isTransient(error)).toBe(true);
    expect(isLockTimeout(error)).toBe(true);
  });

  it('given nobody at the port, or somebody who hangs up, then it may be tried again', async () => {
    const hangsUp = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => hangsUp.listen(0, '127.0.0.1', resolve));
    const elsewhere = new URL(url);
    elsewhere.port = String((hangsUp.address() as AddressInfo).port);
    expect(isTransient(await failure(connect(elsewhere.href)))).toBe(true);
    await new Promise((resolve) => hangsUp.close(resolve));
    expect(isTransient(await failure(connect(elsewhere.href)))).toBe(true);
  });
});

describe('trouble of the statement', () => {
  it.each([
    ['a key that exists', `INSERT INTO item VALUES (1, 1)`, '23505'],
    ['a check that does not hold', `INSERT INTO item VALUES (9, 0)`, '23514'],
    ['a missing value', `INSERT INTO item VALUES (9, NULL)`, '23502'],
    ['a number out of range', `INSERT INTO item VALUES (99999999999, 1)`, '22003'],
    ['text that is no number', `SELECT 'x'::int`, '22P02'],
    ['a table that is not there', `SELECT * FROM nowhere`, '42P01'],
    ['what is not SQL', `SELEC 1`, '42601'],
  ])('given %s, then trying again is of no use', async (_what, sql, code) => {
    const error = await failure(dataSource.query(sql));
    expect(error).toMatchObject({ code });
    expect(isTransient(error)).toBe(false);
  });

  it.each([[new Error('no')], ['timeout exceeded when trying to connect'], [undefined], [null], [{ code: '40001' }]])(
    'given %j, which is no failure of the database, then it is not transient',
    (thrown) => {
      expect(isTransient(thrown)).toBe(false);
    },
  );

  it('given a wrong password, then trying again is of no use', async () => {
    const wrong = new URL(url);
    wrong.password = 'wrong';
    expect(isTransient(await failure(connect(wrong.href)))).toBe(false);
  });
});
