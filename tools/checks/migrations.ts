import 'reflect-metadata';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { schemaOf, SERVICES, type ServiceName } from '@muster/contracts';
import { Journal1700000000000 } from '@muster/journal';
import { createDataSource, migrate, provision } from '@muster/persistence';
import { offerServers, testPostgres } from '@muster/testing';
import { ROOT } from './command.ts';
import type { Step } from './step.ts';

/** What a service keeps (`entities`) and how its schema came to be (`migrations`). */
export interface ServiceSchema {
  entities: Function[];
  migrations: Function[];
}

/**
 * Migrates an empty schema and compares it with the entities.
 * @param adminUrl URL of an empty database's superuser.
 * @returns the statements that the migrations lack.
 */
export async function driftOf(service: ServiceName, schema: ServiceSchema, adminUrl: string): Promise<string[]> {
  const urls = await provision(adminUrl, [{ name: service, password: 'drift' }]);
  const url = urls[service];
  if (!url) throw new Error(`${service}: provision gave no URL`);
  const dataSource = createDataSource({ url, schema: schemaOf(service), poolSize: 2, ...schema });
  await dataSource.initialize();
  try {
    await migrate(dataSource);
    const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
    return upQueries.map(({ query }) => query);
  } finally {
    await dataSource.destroy();
  }
}

async function loadSchema(service: ServiceName): Promise<ServiceSchema | string> {
  const file = join(ROOT, 'apps', service, 'dist', 'schema.js');
  if (!existsSync(file)) return `${service}: apps/${service}/src/schema.ts is missing or not built`;
  const { entities, migrations } = (await import(pathToFileURL(file).href)) as Partial<ServiceSchema>;
  if (!entities || !migrations) return `${service}: apps/${service}/src/schema.ts must export entities and migrations`;
  // Services get the journal's tables with their first start; a migration of theirs may refer to them.
  return { entities, migrations: [Journal1700000000000, ...migrations] };
}

export const migrations: Step = {
  name: 'migrations',
  run: async (signal) => {
    const endServers = await offerServers();
    const postgres = await testPostgres();
    const problems: string[] = [];
    try {
      for (const service of SERVICES) {
        if (signal.aborted) break;
        const schema = await loadSchema(service);
        if (typeof schema === 'string') {
          problems.push(schema);
          continue;
        }
        const missing = await driftOf(service, schema, await postgres.createDatabase());
        problems.push(
          ...missing.map((statement) => `${service}: no migration does what the entities say: ${statement}`),
        );
      }
    } finally {
      await postgres.stop();
      await endServers();
    }
    return problems;
  },
};
