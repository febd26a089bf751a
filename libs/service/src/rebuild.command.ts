import { entities, eventStream, schemaOf, type ServiceName } from '@muster/contracts';
import { rebuild, Relay } from '@muster/journal';
import { ensureStreams, streamsOf } from '@muster/messaging';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { connectBus } from './bus.js';
import { readConfig } from './config.js';
import { loggedError } from './logged-error.js';
import { createLogger } from './logger.js';

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const TELL_EVERY_MS = 2_000;
const BUS_WITHIN_MS = 10_000;

class UsageError extends Error {}

/**
 * `rebuild [--since YYYY-MM-DD]`: publishes the service's events again from its journal, whether the service runs or not, with the same
 * environment as the service. Progress goes to stderr, one line with the number of events to stdout.
 * @returns the exit code: 0, 1 when it failed, 2 when it was asked wrongly; with one line on stderr.
 */
export async function rebuildCommand(
  service: ServiceName,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<number> {
  try {
    const since = readSince(args);
    if (!entities.some((entity) => entity.service === service))
      throw new UsageError(`${service} has no events of its own`);
    const began = performance.now();
    const events = await publishAgain(service, since, env);
    const seconds = (performance.now() - began) / 1000;
    process.stdout.write(
      `${service}: ${events} events published to ${eventStream(service)} in ${seconds.toFixed(1)} s\n`,
    );
    return 0;
  } catch (error) {
    process.stderr.write(`${service}: rebuild failed: ${loggedError(error).message}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
}

function readSince(args: readonly string[]): string | undefined {
  let since: string | undefined;
  try {
    since = parseArgs({ args: [...args], options: { since: { type: 'string' } } }).values.since;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  // No database has the year 0.
  if (since !== undefined && !(DAY.test(since) && since >= '0001' && new Date(since).toJSON()?.startsWith(since)))
    throw new UsageError(`--since must be a day, as in 2026-05-31`);
  return since;
}

async function publishAgain(service: ServiceName, since: string | undefined, env: NodeJS.ProcessEnv): Promise<number> {
  const config = readConfig(service, env);
  const connection = await Promise.race([
    connectBus(config, createLogger(service, 'fatal')),
    delay(BUS_WITHIN_MS, undefined, { ref: false }).then(() => {
      throw new Error(`MUSTER_NATS_URL: no bus answered within ${BUS_WITHIN_MS / 1000} s`);
    }),
  ]);
  const schema = schemaOf(service);
  let trouble: unknown;
  // Where the service runs, its relay has the lock and does it; where it does not, this one.
  const relay = new Relay({
    service,
    schema,
    databaseUrl: config.databaseUrl,
    connection,
    ensureStreams: () => ensureStreams(connection, streamsOf(service)),
    onError: (error) => (trouble = error),
  });
  relay.start();
  let told = performance.now();
  try {
    return await rebuild({
      databaseUrl: config.databaseUrl,
      schema,
      since,
      onProgress: (done, total) => {
        if (performance.now() - told < TELL_EVERY_MS) return;
        told = performance.now();
        process.stderr.write(`${service}: ${Math.floor((100 * done) / total)} % of about ${total} events\n`);
      },
    });
  } catch (error) {
    throw trouble && error instanceof Error
      ? new Error(`${error.message} (${loggedError(trouble).message})`, { cause: trouble })
      : error;
  } finally {
    await relay.stop();
    await connection.close();
  }
}
