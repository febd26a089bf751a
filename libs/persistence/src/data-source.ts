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
    extra: {
      // A statement that hangs would hold its locks for ever; every statement of ours is a short batch.
      statement_timeout: 30_000,
      idle_in_transaction_session_timeout: 60_000,
      connectionTimeoutMillis: 10_000,
    },
  };
  return new DataSource(settings);
}

/** Brings the schema up to date; replicas that start together take turns. */
export async function migrate(dataSource: DataSource): Promise<void> {
  const lock = dataSource.createQueryRunner();
  await lock.connect();
  try {
    await lock.query('SELECT pg_advisory_lock(hashtext($1), 1)', [
      dataSource.options.type + (dataSource.options as { schema: string }).schema,
    ]);
    await dataSource.runMigrations();
  } finally {
    await lock.query('SELECT pg_advisory_unlock_all()');
    await lock.release();
  }
}
