import { CONFIG, LOGGER, Loop, type Logger, type ServiceConfig } from '@muster/service';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { DeviceOperationRetentionStore } from './device-operation-retention.store.js';

const EVERY_MS = 60_000;
/** Breath between two pages, which the work at hand needs more. */
const BREATH_MS = 50;
const DAY_MS = 86_400_000;

/** Deletes the device operations of operations that ended long ago, in pages; any number of replicas share the work. */
@Injectable()
export class DeviceOperationRetention implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly loop: Loop;

  constructor(
    private readonly store: DeviceOperationRetentionStore,
    @Inject(CONFIG) private readonly config: ServiceConfig,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.loop = new Loop('device operation retention', EVERY_MS, () => this.step(), logger);
  }

  onApplicationBootstrap(): void {
    this.loop.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.loop.stop();
  }

  /** @returns whether there may be more to delete. */
  async step(now: number = Date.now()): Promise<boolean> {
    const given = await this.store.giveUp(new Date(now - this.config.historyDays * DAY_MS));
    if (given > 0) this.logger.info({ operations: given }, 'what operations that ended long ago did is being deleted');
    const deleted = await this.store.deletePage();
    if (deleted === undefined) return given > 0;
    await delay(BREATH_MS);
    return true;
  }
}
