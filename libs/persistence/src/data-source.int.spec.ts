import { testPostgres, type TestPostgres } from '@muster/testing';
import { DataSource, type MigrationInterface, type QueryRunner } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDataSource, migrate } from './data-source.js';
import { provision } from './provision.js';

class Letters1700000000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE TABLE letter (id serial PRIMARY KEY, text text NOT NULL)`);
  }
  async down(): Promise<void> {}
}

/** Slow enough for another replica to come in between, and not repeatable without a trace. */
class FirstLetter1700000000002 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`SELECT pg_sleep(0.2)`);
    await runner.query(`INSERT INTO letter (text) VALUES ('first')`);
  }
  async down(): Promise<void> {}
}

class Broken1700000000003 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`INSERT INTO letter (text) VALUES ('half')`);
    await runner.query(`INSERT INTO nowhere VALUES (1)`);
  }
  async down(): Promise<void> {}
}

const good = [Letters1700000000001, FirstLetter1700000000002];
let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await testPostgres();
});
afterAll(() => postgres.stop());

/** The URL of a service in a database of its own. */
const freshUrl = async () => {
  const urls = await provision(await postgres.createDatabase(), [{ name: 'post-office', password: 'x' }]);
  return urls['post-office']!;
};

const replica = async (url: string, migrations: Function[] = good) => {
  const dataSource = createDataSource({ url, schema: 'post_office', entities: [], migrations });
  await dataSource.initialize();
  return dataSource;
};

const letters = async (dataSource: Awaited<ReturnType<typeof replica>>) =>
  (await dataSource.query<{ text: string }[]>(`SELECT text FROM letter ORDER BY id`)).map(({ text }) => text);

describe('migrate', () => {
  it('given replicas that start together, then each migration runs once and all of them come up', async () => {
    const url = await freshUrl();
    const replicas = await Promise.all([replica(url), replica(url), replica(url)]);
    await Promise.all(replicas.map(migrate));
    expect(await letters(replicas[0])).toEqual(['first']);
    const ran = await replicas[0].query<{ name: string }[]>(`SELECT name FROM migration ORDER BY id`);
    expect(ran.map(({ name }) => name)).toEqual(good.map(({ name }) => name));
    await Promise.all(replicas.map((each) => each.destroy()));
  });

  it('given a migration that takes longer than a statement may, then it ends well, and so does the wait for it', async () => {
    const url = await freshUrl();
    const hasty = () => {
      const { options } = createDataSource({ url, schema: 'post_office', entities: [], migrations: good });
      const extra = { statement_timeout: 150, query_timeout: 150 };
      return new DataSource({ ...options, extra }).initialize();
    };
    const replicas = await Promise.all([hasty(), hasty()]);
    await Promise.all(replicas.map(migrate));
    expect(await letters(replicas[0])).toEqual(['first']);
    await Promise.all(replicas.map((each) => each.destroy()));
  });

  it('given a schema that is up to date, then nothing happens', async () => {
    const dataSource = await replica(await freshUrl());
    await migrate(dataSource);
    await migrate(dataSource);
    expect(await letters(dataSource)).toEqual(['first']);
    await dataSource.destroy();
  });

  it('given a migration that fails, then what came before it stays, nothing of it does, and the next replica is not locked out', async () => {
    const url = await freshUrl();
    const broken = await replica(url, [...good, Broken1700000000003]);
    await expect(migrate(broken)).rejects.toThrow('nowhere');
    const fixed = await replica(url);
    await migrate(fixed);
    expect(await letters(fixed)).toEqual(['first']);
    await Promise.all([broken.destroy(), fixed.destroy()]);
  });
});
