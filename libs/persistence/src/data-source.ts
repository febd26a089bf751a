import { DataSource, type DataSourceOptions } from 'typeorm';

type Classes = Function[];

export interface SchemaOptions {
  /** Database URL of the service's own role. */
  url: string;
  /** The service's schema. */
  schema: string;
  entities: Classes;
  migrations: Classes;
  /** Connections at most. */
  poolSize?: number;
  applicationName?: string;
}

const KEEP_ALIVE = { connectionTimeoutMillis: 10_000, keepAlive: true, keepAliveInitialDelayMillis: 10_000 };

/** Limits of a database session of ours, in milliseconds, as `pg` names them. */
export const sessionLimits = {
  ...KEEP_ALIVE,
  // A statement that hangs would hold its locks for ever; every statement of ours is a short batch.
  statement_timeout: 30_000,
  // Later than the server's own limit: it is for a server that no longer answers.
  query_timeout: 35_000,
  idle_in_transaction_session_timeout: 60_000,
};

/**
 * Every statement is planned for rows that are found by their keys, in the order in which they are given, whatever the arrays. A plan made for
 * the arrays at hand reads a whole table whose statistics are missing or old, as they are in the first minute of every large job; and one that
 * reads a small table as it lies locks its rows in that order, in which two batches may deadlock.
 */
const PLANNING = [
  'plan_cache_mode=force_generic_plan',
  'enable_seqscan=off',
  'enable_hashjoin=off',
  'enable_mergejoin=off',
]
  .map((setting) => `-c ${setting}`)
  .join(' ');

/** The connection of one service to its own schema. */
export function createDataSource(options: SchemaOptions): DataSource {
  const settings: DataSourceOptions = {
    type: 'postgres',
    url: options.url,
    schema: options.schema,
    entities: options.entities,
    migrations: options.migrations,
    migrationsTableName: 'migration',
    migrationsTransactionMode: 'each',
    poolSize: options.poolSize ?? 10,
    applicationName: options.applicationName ?? options.schema,
    synchronize: false,
    logging: false,
    // A session that lost its server without a word goes back into the pool after its time-out: it must not stay there.
    extra: { ...sessionLimits, maxLifetimeSeconds: 300, options: PLANNING },
  };
  return new DataSource(settings);
}

/**
 * Brings the schema up to date; replicas that start together take turns. Neither a migration nor waiting for one has a time limit: it has
 * sessions of its own, apart from the limits of `dataSource`.
 */
export async function migrate(dataSource: DataSource): Promise<void> {
  const options = dataSource.options as Extract<DataSourceOptions, { type: 'postgres' }>;
  const unlimited = new DataSource({
    ...options,
    poolSize: 2,
    extra: { ...KEEP_ALIVE, options: '-c statement_timeout=0' },
  });
  await unlimited.initialize();
  try {
    const lock = unlimited.createQueryRunner();
    await lock.query('SELECT pg_advisory_lock(hashtext($1), 1)', [options.type + options.schema]);
    await unlimited.runMigrations();
    await lock.query('SELECT pg_advisory_unlock_all()');
    await lock.release();
  } finally {
    // Ends the session and with it the lock.
    await unlimited.destroy();
  }
}
