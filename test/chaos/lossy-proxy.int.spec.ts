import { testPostgres, type TestPostgres } from '@muster/testing';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LossyProxy } from './lossy-proxy.ts';
import { Random } from './random.ts';

let postgres: TestPostgres;
let url: string;
let proxy: LossyProxy;
beforeAll(async () => {
  postgres = await testPostgres();
  url = await postgres.createDatabase();
  proxy = await LossyProxy.to(url, new Random(1, 'answers'));
});
afterAll(async () => {
  await proxy.stop();
  await postgres.stop();
});

const through = async (address: string) => {
  const client = new pg.Client({ connectionString: address });
  client.on('error', () => undefined);
  await client.connect();
  return client;
};

describe('a Postgres whose answers get lost', () => {
  it('given no loss, then everything passes', async () => {
    const client = await through(proxy.url);
    await client.query('CREATE TABLE kept (id int, filling text)');
    await client.query(`INSERT INTO kept SELECT i, repeat('C', 5000) FROM generate_series(1, 500) i`);
    const { rows } = await client.query('SELECT * FROM kept');
    await client.end();
    expect(rows).toHaveLength(500);
    expect(proxy.lost).toBe(0);
  });

  it('given that every answer is lost, then the caller of a commit or a write fails although it is carried out, and reads go on', async () => {
    const direct = await through(url);
    await direct.query('CREATE TABLE lost (id int)');
    const transactions = [['BEGIN', 'INSERT INTO lost VALUES (1)', 'COMMIT'], ['INSERT INTO lost VALUES (2)']];
    for (const [before, statements] of transactions.entries()) {
      proxy.share = 1;
      const client = await through(proxy.url);
      expect((await client.query('SELECT count(*) FROM lost')).rowCount).toBe(1);
      const last = statements.pop()!;
      for (const statement of statements) await client.query(statement);
      const lost = client.query(last);
      lost.catch(() => undefined);
      await expect.poll(() => proxy.lost).toBe(before + 1);
      proxy.heal();
      await expect(lost).rejects.toThrow('Connection terminated');
    }
    const { rows } = await direct.query<{ id: number }>('SELECT id FROM lost ORDER BY id');
    await direct.end();
    expect(rows).toEqual([{ id: 1 }, { id: 2 }]);
    expect(proxy.lost).toBe(2);
  });
});
