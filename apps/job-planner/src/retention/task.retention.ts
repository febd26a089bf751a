import { CONFIG, LOGGER, Loop, type Logger, type ServiceConfig } from '@muster/service';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { TaskRetentionStore } from './task-retention.store.js';

const EVERY_MS = 60_000;
/** Breath between two pages, which the work at hand needs more. */
const BREATH_MS = 50;
const DAY_MS = 86_400_000;

/** Deletes the tasks of jobs that ended long ago or were deleted by their users, in pages; any number of replicas share the work. */
@Injectable()
export class TaskRetention implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly loop: Loop;

  constructor(
    private readonly store: TaskRetentionStore,
    @Inject(CONFIG) private readonly config: ServiceConfig,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.loop = new Loop('task retention', EVERY_MS, () => this.step(), logger);
  }

  onApplicationBootstrap(): void {
    this.loop.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.loop.stop();
  }

  /** @returns whether there may be more to delete. */
  async step(now: number = Date.now()): Promise<boolean> {
    const jobs = await this.store.giveUp(new Date(now - this.config.historyDays * DAY_MS));
    if (jobs > 0) this.logger.info({ jobs }, 'the tasks of jobs that ended long ago are being deleted');
    const deleted = await this.store.deletePage();
    if (deleted === undefined) return jobs > 0;
    await delay(BREATH_MS);
    return true;
  }
}
