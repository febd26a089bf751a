import { deadLetters } from '@muster/contracts';
import type { DynamicModule } from '@nestjs/common';
import { Journal } from '@muster/journal';
import { RpcClient } from '@muster/messaging';
import type { NatsConnection } from 'nats';
import { DataSource } from 'typeorm';
import type { ServiceConfig } from './config.js';
import { DeadLetters } from './dead-letters.js';
import { deadLettersRpc } from './dead-letters.rpc.js';
import { HealthController } from './health.controller.js';
import type { Logger } from './logger.js';
import { Drops } from './drops.js';
import { Metrics } from './metrics.js';
import { CONFIG, LOGGER, NATS } from './tokens.js';

export interface Core {
  config: ServiceConfig;
  dataSource: DataSource;
  connection: NatsConnection;
  journal: Journal;
  logger: Logger;
  metrics: Metrics;
}

/** What every service's classes may ask for, its health pages, and the answers about its dead letters. */
export class CoreModule {
  static with(core: Core): DynamicModule {
    const providers = [
      { provide: CONFIG, useValue: core.config },
      { provide: DataSource, useValue: core.dataSource },
      { provide: NATS, useValue: core.connection },
      { provide: Journal, useValue: core.journal },
      { provide: LOGGER, useValue: core.logger },
      { provide: Metrics, useValue: core.metrics },
      { provide: Drops, useValue: new Drops(core.logger, core.metrics) },
      {
        provide: DeadLetters,
        useValue: new DeadLetters(core.config.service, core.dataSource, core.connection, core.logger, core.metrics),
      },
      { provide: RpcClient, useValue: new RpcClient(core.connection) },
    ];
    const letters = deadLetters.get(core.config.service);
    return {
      module: CoreModule,
      global: true,
      controllers: [HealthController, ...(letters ? [deadLettersRpc(letters)] : [])],
      providers,
      exports: providers.map(({ provide }) => provide),
    };
  }
}
