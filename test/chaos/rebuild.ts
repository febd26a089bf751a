import { eventStream, schemaOf } from '@muster/contracts';
import { rebuildEvents } from '@muster/journal';
import { ensureStreams, streamsOf } from '@muster/messaging';
import { createDataSource } from '@muster/persistence';
import type { NatsConnection } from 'nats';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PUBLISHERS } from './evidence.ts';

/** Deletes every event stream, and has each service's journal bring its own back. */
export async function loseAndRebuild(connection: NatsConnection, databaseUrl: string, dataDir: string): Promise<void> {
  const manager = await connection.jetstreamManager();
  const { services } = JSON.parse(await readFile(join(dataDir, 'secrets.json'), 'utf8')) as {
    services: Record<string, string>;
  };
  for (const service of PUBLISHERS) {
    await manager.streams.delete(eventStream(service));
    await ensureStreams(connection, streamsOf(service));
    const url = new URL(databaseUrl);
    url.username = `${url.pathname.slice(1)}_${schemaOf(service)}`;
    url.password = services[service]!;
    const dataSource = createDataSource({ url: url.href, schema: schemaOf(service), entities: [], migrations: [] });
    await dataSource.initialize();
    await rebuildEvents({ service, dataSource, connection });
    await dataSource.destroy();
  }
}
