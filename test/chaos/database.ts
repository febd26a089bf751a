import { startPostgres, type PostgresServer } from '@muster/servers';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { LossyProxy } from './lossy-proxy.ts';
import type { Random } from './random.ts';

const PATIENCE_MS = 60_000;
const RETRY_MS = 100;

/** How the sessions of this run's own are called: no fault is meant for them. */
export const OWN_SESSIONS = 'chaos';

/** Where statements of the run's own go. */
export type Tables = Pick<Database, 'query'>;

/** The Postgres of the run, which the product reaches through a proxy that loses answers, and the run itself directly. */
export class Database {
  readonly proxy: LossyProxy;
  private server: PostgresServer;
  private readonly restart: () => Promise<PostgresServer>;
  private readonly pool: pg.Pool;
  private crashing: Promise<void> = Promise.resolve();

  private constructor(server: PostgresServer, proxy: LossyProxy, restart: () => Promise<PostgresServer>) {
    this.server = server;
    this.proxy = proxy;
    this.restart = restart;
    this.pool = new pg.Pool({ connectionString: server.url, max: 4, application_name: OWN_SESSIONS });
    this.pool.on('error', () => undefined);
  }

  static async start(dataDir: string, random: Random): Promise<Database> {
    const password = randomBytes(16).toString('hex');
    const server = await startPostgres({ dataDir, password });
    const restart = () => startPostgres({ dataDir, password, port: server.port });
    return new Database(server, await LossyProxy.to(server.url, random), restart);
  }

  /** The superuser's URL, past the proxy. */
  get url(): string {
    return this.server.url;
  }

  /**
   * Runs a statement of the run's own, again and again while the server is away; it must bear being carried out twice.
   * @throws the error of the last try after a minute.
   */
  async query<Row extends pg.QueryResultRow>(sql: string, parameters: unknown[] = []): Promise<Row[]> {
    const giveUp = Date.now() + PATIENCE_MS;
    for (;;) {
      try {
        return (await this.pool.query<Row>(sql, parameters)).rows;
      } catch (error) {
        if (isStatementsFault(error) || Date.now() > giveUp) throw error;
        await delay(RETRY_MS);
      }
    }
  }

  /** Ends the server without a checkpoint, as a crash does, and starts it anew: it recovers from its log. One crash at a time. */
  crash(): Promise<void> {
    this.crashing = this.crashing.then(async () => {
      process.kill(this.server.pid, 'SIGQUIT');
      await this.server.exited;
      this.server = await this.restart();
    });
    return this.crashing;
  }

  async stop(): Promise<void> {
    await this.crashing.catch(() => undefined);
    try {
      await this.pool.end();
      await this.proxy.stop();
    } finally {
      await this.server.stop();
    }
  }
}

/** SQLSTATE classes 22, 23 and 42: data, constraints, syntax and names. Trying again does not help. */
const isStatementsFault = (error: unknown) => {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^(22|23|42)/.test(code);
};
