import { connectBus, type Logger, type ServiceConfig } from '@muster/service';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { NatsConnection } from 'nats';
import type { BusKeys } from './bus.keys.js';

/** The service's connection of the system account, where it may steer Muster's account and hears who comes and goes. */
@Injectable()
export class SystemBus implements OnApplicationShutdown {
  /** `connection`: undefined on a bus whose keys the service was not given. */
  constructor(readonly connection: NatsConnection | undefined) {}

  static async open({ keys }: BusKeys, config: ServiceConfig, logger: Logger): Promise<SystemBus> {
    return new SystemBus(keys && (await connectBus({ ...config, natsCreds: keys.systemCreds }, logger)));
  }

  async onApplicationShutdown(): Promise<void> {
    await this.connection?.close();
  }
}
