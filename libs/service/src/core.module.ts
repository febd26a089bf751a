import type { DynamicModule } from '@nestjs/common';
import { Journal } from '@muster/journal';
import { RpcClient } from '@muster/messaging';
import type { NatsConnection } from 'nats';
import { DataSource } from 'typeorm';
import type { ServiceConfig } from './config.js';
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

/** What every service's classes may ask for, and its health pages. */
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
      { provide: RpcClient, useValue: new RpcClient(core.connection) },
    ];
    return {
      module: CoreModule,
      global: true,
      controllers: [HealthController],
      providers,
      exports: providers.map(({ provide }) => provide),
    };
  }
}
