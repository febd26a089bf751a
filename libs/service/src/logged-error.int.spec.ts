import { testNats, testPostgres, type TestPostgres } from '@muster/testing';
import { createDataSource, provision } from '@muster/persistence';
import { connect, DiscardPolicy } from 'nats';
import type { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createLogger, NestLogger, type Logger } from './logger.js';
import { logLines } from './testing/log-lines.js';

const SECRET = 'hunter2';
let postgres: TestPostgres;
let dataSource: DataSource;
let logger: Logger;
let lines: Record<string, unknown>[];

beforeAll(async () => {
  postgres = await testPostgres();
  const urls = await provision(await postgres.createDatabase(), [{ name: 'vault', password: 'x' }]);
  dataSource = await createDataSource({
    url: urls['vault']!,
    schema: 'vault',
    entities: [],
    migrations: [],
  }).initialize();
  await dataSource.query(`CREATE TABLE secret (text text PRIMARY KEY, size int CHECK (size > 0))`);
  await dataSource.query(`INSERT INTO secret VALUES ($1, 1)`, [SECRET]);
});
afterAll(async () => {
  await dataSource.destroy();
  await postgres.stop();
});
beforeEach(() => {
  logger = createLogger('test', 'info');
  lines = logLines(logger);
});

const failures: [string, string, string][] = [
  ['23505', 'a key that exists', `INSERT INTO secret VALUES ($1, 1)`],
  ['23514', 'a check that does not hold', `INSERT INTO secret VALUES ($1, 0)`],
  ['22P02', 'text that is no number', `SELECT ($1::text)::int`],
  ['22P02', 'text that is no JSON', `SELECT ($1::text)::jsonb`],
  ['22007', 'text that is no time', `SELECT ($1::text)::timestamptz`],
];
const failureOf = (sql: string) =>
  dataSource.query(sql, [SECRET]).then(
    () => expect.unreachable('it did not fail'),
    (error: unknown) => error,
  );

describe('a failed statement in the log', () => {
  it.each(failures)(
    'given %s, %s, then the line says which statement and why, and no value',
    async (code, _what, sql) => {
      logger.error({ err: await failureOf(sql) }, 'failed');
      expect(lines).toHaveLength(1);
      expect(JSON.stringify(lines)).not.toContain(SECRET);
      expect(lines[0]).toMatchObject({ msg: 'failed', err: { type: 'QueryFailedError', code, query: sql } });
      const { message, stack } = lines[0]!['err'] as { message: string; stack: string };
      expect(message).not.toBe('');
      expect(stack).toContain(message);
      expect(stack).toMatch(/\n +at /);
    },
  );

  it.each(failures)(
    'given %s, %s, that Nest logs or that is the cause of another, then the same',
    async (code, _what, sql) => {
      const error = await failureOf(sql);
      new NestLogger(logger).error(error, 'ExceptionsHandler');
      logger.error({ err: new Error('could not store', { cause: error }) }, 'failed');
      expect(JSON.stringify(lines)).not.toContain(SECRET);
      expect(lines).toMatchObject([{ err: { code } }, { err: { message: 'could not store', cause: { code } } }]);
    },
  );

  it('given what is thrown and is no error, then the line still says it', () => {
    logger.error({ err: 'just text' }, 'failed');
    expect(lines).toMatchObject([{ err: { type: 'string', message: 'just text' } }]);
  });
});

describe('a message that the bus refused, in the log', () => {
  it('given a stream that is full, then the line says so, and not only a number', async () => {
    const nats = await testNats();
    const connection = await connect({ servers: nats.url });
    try {
      const manager = await connection.jetstreamManager();
      await manager.streams.add({ name: 'FULL', subjects: ['full'], max_bytes: 1, discard: DiscardPolicy.New });
      const refused = await connection
        .jetstream()
        .publish('full', 'too much')
        .then(
          () => expect.unreachable('it was taken'),
          (error: unknown) => error,
        );
      logger.error({ err: refused }, 'failed');
      expect(lines[0]).toMatchObject({ err: { type: 'NatsError', message: 'maximum bytes exceeded' } });
    } finally {
      await connection.close();
      await nats.stop();
    }
  });
});
