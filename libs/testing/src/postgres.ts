import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { sharedPostgresUrl } from './shared-postgres.js';

/** The Postgres of the whole test run. Roles belong to the server, not to a database: test files share them. */
export interface TestPostgres {
  /** Makes an empty database and answers its superuser's URL. */
  createDatabase(): Promise<string>;
  /** Drops the databases that were made here, whoever is still connected. */
  stop(): Promise<void>;
}

const asSuperuser = async (url: string, sql: string) => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
};

/**
 * Connects to the Postgres of the test run, which is started when the first test asks for it.
 * @throws Error when there is none: a test that needs it fails, it is never skipped.
 */
export async function testPostgres(): Promise<TestPostgres> {
  const url = await sharedPostgresUrl();
  const made: string[] = [];
  return {
    createDatabase: async () => {
      const name = `test_${randomUUID().replaceAll('-', '')}`;
      await asSuperuser(url, `create database ${name}`);
      made.push(name);
      const database = new URL(url);
      database.pathname = `/${name}`;
      return database.href;
    },
    stop: async () => {
      for (const name of made.splice(0)) await asSuperuser(url, `drop database ${name} with (force)`);
    },
  };
}
