import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startPostgres, type PostgresServer } from '@muster/servers';
import { makeScratch, postgresFolder, removeScratch } from './scratch.js';

/** Superuser's URL of a Postgres to test on; without it one is started for the run. */
const GIVEN = 'MUSTER_TEST_POSTGRES_URL';
/** Where test processes ask the main process of the run for its Postgres. */
const BROKER = 'MUSTER_TEST_POSTGRES_BROKER';

/**
 * Offers this process's Postgres to the processes started from now on. It is started when the first of them asks, so that a run
 * without such a test does not pay for it.
 * @returns what ends it.
 */
export async function offerPostgres(): Promise<() => Promise<void>> {
  if (process.env[GIVEN] || process.env[BROKER]) return () => Promise.resolve();

  let starting: Promise<{ server: PostgresServer; scratch: string }> | undefined;
  const start = async () => {
    const scratch = await makeScratch();
    try {
      const password = randomBytes(16).toString('hex');
      return { scratch, server: await startPostgres({ dataDir: postgresFolder(scratch), password, ephemeral: true }) };
    } catch (error) {
      await removeScratch(scratch);
      throw error;
    }
  };

  const broker = createServer((_request, response) => {
    starting ??= start();
    starting.then(
      ({ server }) => response.end(server.url),
      (error: Error) => response.writeHead(500).end(error.message),
    );
  });
  await new Promise<void>((resolve) => broker.listen(0, '127.0.0.1', resolve));
  process.env[BROKER] = `http://127.0.0.1:${(broker.address() as AddressInfo).port}`;

  return async () => {
    delete process.env[BROKER];
    broker.closeAllConnections();
    broker.close();
    const started = await starting?.catch(() => undefined);
    await started?.server.stop();
    if (started) await removeScratch(started.scratch);
  };
}

/**
 * The superuser's URL of the run's Postgres.
 * @throws Error when none is offered, or it does not start.
 */
export async function sharedPostgresUrl(): Promise<string> {
  const given = process.env[GIVEN];
  if (given) return given;
  const broker = process.env[BROKER];
  if (!broker)
    throw new Error(`no Postgres for tests: run them with the workspace's vitest configuration, or set ${GIVEN}`);
  const response = await fetch(broker);
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return text;
}
