import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server as TcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort, isAlive, startPostgres, type PostgresServer } from './index.js';

const query = async (url: string, sql: string): Promise<Record<string, unknown>[]> => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
};

describe('startPostgres', () => {
  let folder: string;
  let dataDir: string;
  const password = randomBytes(16).toString('hex');
  const started: PostgresServer[] = [];
  const start = async (port?: number) => {
    const server = await startPostgres({ dataDir, password, ...(port ? { port } : {}) });
    started.push(server);
    return server;
  };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'muster-servers-'));
    await chmod(folder, 0o755);
    dataDir = join(folder, 'postgres');
  });

  afterEach(async () => {
    await Promise.all(started.splice(0).map((server) => server.stop()));
    await rm(folder, { recursive: true, force: true });
  });

  it('given an empty folder, when it is started, then it is a durable Postgres 18 that wants the password', async () => {
    const server = await start();

    expect(await query(server.url, `select current_setting('server_version_num')::int / 10000 as major`)).toEqual([
      { major: 18 },
    ]);
    expect(await query(server.url, 'show synchronous_commit')).toEqual([{ synchronous_commit: 'on' }]);
    expect(await query(server.url, 'show fsync')).toEqual([{ fsync: 'on' }]);
    await expect(query(server.url.replace(password, 'guess'), 'select 1')).rejects.toThrow(
      'password authentication failed',
    );
  });

  it('given data of an earlier run, when it is started again, then it finds it', async () => {
    const first = await start();
    await query(first.url, 'create table kept as select 42 as answer');
    await first.stop();
    expect(isAlive(first.pid)).toBe(false);

    const second = await start();

    expect(await query(second.url, 'select answer from kept')).toEqual([{ answer: 42 }]);
  });

  it('given a postmaster that was killed, when it is started on the same port, then it comes back with its data', async () => {
    const first = await start();
    await query(first.url, 'create table kept as select 42 as answer');
    process.kill(first.pid, 'SIGKILL');
    expect(await first.exited).toBe('SIGKILL');

    const second = await start(first.port);

    expect(second.port).toBe(first.port);
    expect(await query(second.url, 'select answer from kept')).toEqual([{ answer: 42 }]);
  });

  it('given a postmaster that still runs on the folder, when it is started, then the old one is ended first', async () => {
    const first = await start();

    const second = await start(first.port);

    expect(isAlive(first.pid)).toBe(false);
    expect(await query(second.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('given another password than the one the folder was made with, when it is started, then one line says so', async () => {
    await (await start()).stop();

    const failure = startPostgres({ dataDir, password: 'another' });

    await expect(failure).rejects.toThrow(
      /^Postgres does not start in \S+: password authentication failed for user "postgres" .*$/,
    );
  });

  it('given a port in use, when it is started on it, then one line names the port', async () => {
    const port = await freePort();
    const other = await new Promise<TcpServer>((resolve) => {
      const server = createServer().listen(port, '127.0.0.1', () => resolve(server));
    });

    try {
      await expect(start(port)).rejects.toThrow(`port ${port} is in use: Postgres cannot listen on 127.0.0.1:${port}`);
    } finally {
      other.close();
    }
  });
});
