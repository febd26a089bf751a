import 'reflect-metadata';
import { entities as entityContracts, schemaOf, type ServiceName } from '@muster/contracts';
import {
  DeadLetterStore,
  ensurePartitions,
  Journal,
  Journal1700000000000,
  Relay,
  WatchedDeliveries,
  type DeadLetter,
} from '@muster/journal';
import {
  backOff,
  PASSING_TROUBLE_MS,
  ensureStreams,
  NatsTransport,
  streamsOf,
  type StreamSpec,
  type TransportHost,
} from '@muster/messaging';
import { createDataSource, isTransient, migrate } from '@muster/persistence';
import type { Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyServerOptions } from 'fastify';
import type { NatsConnection } from 'nats';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { DataSource } from 'typeorm';
import { connectBus } from './bus.js';
import { readConfig, type ServiceConfig } from './config.js';
import { CoreModule } from './core.module.js';
import { createLogger, NestLogger, type Logger } from './logger.js';
import { Drops } from './drops.js';
import { journalKeeper } from './journal-keeper.js';
import { Metrics } from './metrics.js';
import { isPassing } from './passing-trouble.js';
import { onceInAWhile } from './once-in-a-while.js';
import { startTelemetry } from './telemetry.js';

export interface ServiceDefinition {
  service: ServiceName;
  module: Type;
  entities: Function[];
  migrations: Function[];
  /** Settings of the HTTP server, for a service that has more to say there than its health. */
  fastify?: FastifyServerOptions;
  /** Last touches before it listens. */
  configure?: (app: NestFastifyApplication, config: ServiceConfig) => Promise<void> | void;
}

export interface RunningService {
  url: string;
  app: NestFastifyApplication;
  /** Stops taking work, finishes what is being done, closes the connections. */
  stop(): Promise<void>;
}

const FIRST_CONNECT_MS = 60_000;

/** Connects, migrates, and starts the service; it runs until {@link RunningService.stop}. */
export async function startService(
  definition: ServiceDefinition,
  env: NodeJS.ProcessEnv = process.env,
): Promise<RunningService> {
  const config = readConfig(definition.service, env);
  const logger = createLogger(definition.service, config.logLevel);
  const flushSpans = await startTelemetry(definition.service, config.otlpEndpoint);
  const schema = schemaOf(definition.service);
  const publishes = entityContracts.some((entity) => entity.service === definition.service);

  const dataSource = createDataSource({
    url: config.databaseUrl,
    schema,
    entities: definition.entities,
    migrations: [...(publishes ? [Journal1700000000000] : []), ...definition.migrations],
  });
  await patiently(() => dataSource.initialize(), logger);
  await migrate(dataSource);
  const connection = await connectBus(config, logger);

  const metrics = new Metrics(definition.service);
  const journal = new Journal(dataSource, {
    schema,
    onError: (error) => logger.error({ err: error }, 'callback failed after the commit'),
  });
  const core = CoreModule.with({ config, dataSource, connection, journal, logger, metrics });
  const app = await NestFactory.create<NestFastifyApplication>(
    { module: class ServiceModule {}, imports: [core, definition.module] },
    new FastifyAdapter(definition.fastify ?? {}),
    { logger: new NestLogger(logger) },
  );
  const streams = streamsOf(definition.service, config.events);
  const watch = new WatchedDeliveries(dataSource, randomUUID());
  const host = transportHost(dataSource, watch, logger, metrics);
  const transport = new NatsTransport(definition.service, connection, host, streams);
  app.connectMicroservice({ strategy: transport });
  metrics.followLags(() => transport.lags());
  await definition.configure?.(app, config);

  const background: { start(): void; stop(): Promise<void> }[] = [];
  if (publishes) {
    await ensurePartitions(dataSource);
    background.push(
      relayOf(config, streams, connection, logger, metrics),
      journalKeeper(dataSource, config.journalDays, logger),
    );
  }
  for (const part of background) part.start();
  await app.startAllMicroservices();
  await app.listen(config.httpPort, config.httpHost);
  const url = await app.getUrl();
  logger.info({ url }, 'ready');

  const stop = async () => {
    await app.close();
    for (const part of background) await part.stop();
    await connection.drain().catch(() => undefined);
    await watch.close();
    await dataSource.destroy();
    await flushSpans();
  };
  return { url, app, stop };
}

function relayOf(
  config: ServiceConfig,
  streams: readonly StreamSpec[],
  connection: NatsConnection,
  logger: Logger,
  metrics: Metrics,
): Relay {
  return new Relay({
    service: config.service,
    schema: schemaOf(config.service),
    databaseUrl: config.databaseUrl,
    connection,
    ensureStreams: () => ensureStreams(connection, streams),
    onPublished: (events, work) => {
      metrics.published.inc({ kind: 'event' }, events);
      metrics.published.inc({ kind: 'work' }, work);
    },
    onParked: (letter) => tellParked(letter, logger, metrics),
    onLost: (events) => {
      metrics.lost.inc(events);
      logger.warn({ events }, 'the event stream lost events, publishing them again');
    },
    onError: onceInAWhile((error, before) =>
      logger.error({ err: error, ...(before > 0 && { repeated: before }) }, 'relay failed, trying again'),
    ),
  });
}

function transportHost(
  dataSource: DataSource,
  watch: WatchedDeliveries,
  logger: Logger,
  metrics: Metrics,
): TransportHost {
  const deadLetters = new DeadLetterStore(dataSource);
  const drops = new Drops(logger, metrics);
  return {
    park: async (message) => {
      if (await deadLetters.park(message)) tellParked(message, logger, metrics);
    },
    watch,
    isTransient: isPassing,
    onDropped: (channel, reason, detail) => drops.count(channel, reason, detail),
    onHandled: (pattern, outcome, seconds) => metrics.handled.observe({ pattern, outcome }, seconds),
    onError: (pattern, error) => logger.error({ pattern, err: error }, 'message failed'),
  };
}

function tellParked({ subject, reason }: DeadLetter, logger: Logger, metrics: Metrics): void {
  // Subjects of devices and events hold ids: too many for a label.
  const family = /^muster\.(dev|evt)(?=\.)/.exec(subject)?.[0];
  metrics.deadLetters.inc({ subject: family ?? subject });
  logger.error({ subject, reason }, 'message parked as a dead letter');
}

async function patiently<T>(action: () => Promise<T>, logger: Logger): Promise<T> {
  const giveUp = Date.now() + FIRST_CONNECT_MS;
  for (let attempt = 1; ; attempt++) {
    try {
      return await action();
    } catch (error) {
      if (!isTransient(error) || Date.now() > giveUp) throw error;
      logger.warn({ err: error }, 'database not reachable yet');
      await delay(backOff(attempt, PASSING_TROUBLE_MS));
    }
  }
}
