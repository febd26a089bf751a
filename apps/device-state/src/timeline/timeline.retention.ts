import { CONFIG, LOGGER, Loop, type Logger, type ServiceConfig } from '@muster/service';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { TimelineStore } from './timeline.store.js';

const EVERY_MS = 60_000;
const DAY_MS = 86_400_000;

/** Deletes what happened to devices long ago, a page at a time; any number of replicas share the work. */
@Injectable()
export class TimelineRetention implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly loop: Loop;

  constructor(
    private readonly store: TimelineStore,
    @Inject(CONFIG) private readonly config: ServiceConfig,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.loop = new Loop('timeline retention', EVERY_MS, () => this.step(), logger);
  }

  onApplicationBootstrap(): void {
    this.loop.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.loop.stop();
  }

  /** Deletes a page; says whether there may be more. */
  step(now: number = Date.now()): Promise<boolean> {
    return this.store.deletePage(new Date(now - this.config.historyDays * DAY_MS));
  }
}
