import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { launch, type Launched } from './launch.js';
import { accountFor } from './postgres-account.js';
import { findPostgres } from './postgres-binaries.js';
import { ensureCluster, stopStalePostgres, SUPERUSER } from './postgres-cluster.js';
import { freePort, portIsFree } from './ports.js';
import { ServerError } from './server-error.js';
import type { Server } from './server.js';

export interface PostgresOptions {
  /** The cluster's folder; made when missing, found again otherwise. */
  dataDir: string;
  /** TCP port; without it the operating system chooses a free one. */
  port?: number;
  /** The superuser's password; it belongs to the folder from the first start on. */
  password: string;
  /** For tests: trades every guarantee over a crash of the machine for speed. */
  ephemeral?: boolean;
  /** Gets each line that Postgres writes to its log. */
  onLog?: (line: string) => void;
}

/** `url` is the superuser's, of the database `postgres`. */
export type PostgresServer = Server;

/** A crash recovery may take a while; a start without one takes less than a second. */
const START_MS = 120_000;
const STOP_MS = 10_000;
const POLL_MS = 25;
const ATTEMPTS = 5;
/** SQLSTATE invalid_password. */
const WRONG_PASSWORD = '28P01';

const settings = (port: number, ephemeral: boolean) => {
  const values: Record<string, string | number> = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    max_connections: 200,
    shared_buffers: '256MB',
    timezone: 'UTC',
    log_timezone: 'UTC',
    lc_messages: 'C',
    ...(ephemeral ? { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' } : {}),
  };
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
};

async function untilAccepting(server: Launched, url: string): Promise<void> {
  const deadline = Date.now() + START_MS;
  while (server.ending() === undefined && Date.now() < deadline) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return;
    } catch (error) {
      if ((error as { code?: string }).code === WRONG_PASSWORD) throw error;
      await delay(POLL_MS);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
  throw new ServerError(
    server.ending() === undefined
      ? `it accepts no connection after ${START_MS / 1000} s`
      : `it ended (${server.ending()})`,
  );
}

/**
 * Starts a real Postgres on 127.0.0.1, reachable over TCP with a password only. The promise settles once it accepts connections. A
 * postmaster left behind on the same folder is ended first.
 * @throws ServerError, one line, when the port is taken, the folder cannot be used or Postgres does not start.
 */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const dataDir = resolve(options.dataDir);
  const ephemeral = options.ephemeral ?? false;
  const binaries = await findPostgres();
  const account = accountFor(dataDir, binaries.postgres);
  await stopStalePostgres(dataDir);
  if (options.port && !(await portIsFree(options.port))) {
    throw new ServerError(`port ${options.port} is in use: Postgres cannot listen on 127.0.0.1:${options.port}`);
  }
  await ensureCluster(dataDir, binaries, account, { password: options.password, ephemeral });

  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort());
    const url = `postgres://${SUPERUSER}:${encodeURIComponent(options.password)}@127.0.0.1:${port}/postgres`;
    const { command, args, ...identity } = account.spawning(binaries.postgres, [
      '-D',
      dataDir,
      ...settings(port, ephemeral),
    ]);
    const server = await launch(command, args, identity, { onLog: options.onLog });
    const stop = () => server.stop('SIGINT', STOP_MS);
    try {
      await untilAccepting(server, url);
      return { url, port, pid: server.pid, exited: server.exited, stop };
    } catch (error) {
      await stop();
      // Our own early attempts to connect are refused as fatal, too.
      const fatal = server.tail().find((line) => /FATAL:(?!.*the database system is)/.test(line)) ?? '';
      // Another program took the port in the meantime, or backends of a killed postmaster have not noticed its end yet.
      const passing =
        fatal.includes('pre-existing shared memory') || (!options.port && /could not create any TCP|bind/.test(fatal));
      if (passing && attempt < ATTEMPTS) {
        await delay(200 * attempt);
        continue;
      }
      const why = fatal.replace(/^.*FATAL:\s*/, '') || (error as Error).message;
      const wrongPassword =
        (error as { code?: string }).code === WRONG_PASSWORD ? ' (another one made this folder)' : '';
      throw new ServerError(`Postgres does not start in ${dataDir}: ${why}${wrongPassword}`);
    }
  }
}
