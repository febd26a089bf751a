import { CONFIG, LOGGER, Loop, type Logger, type ServiceConfig } from '@muster/service';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { NIL } from 'uuid';
import { CommandRetentionStore } from './command-retention.store.js';

const EVERY_MS = 600_000;
/** Breath between two pages, which the work at hand needs more. */
const BREATH_MS = 50;
const DAY_MS = 86_400_000;

/** What one pass deleted. */
export interface Deleted {
  commands: number;
  requests: number;
  marks: number;
}

/**
 * Deletes the commands that ended long ago, the requests of which none is left, and the cancels that were never used: in pages, passing over
 * rows that another replica is at.
 */
@Injectable()
export class CommandRetention implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly loop: Loop;
  private stopping = false;

  constructor(
    private readonly store: CommandRetentionStore,
    @Inject(CONFIG) private readonly config: ServiceConfig,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.loop = new Loop(
      'command retention',
      EVERY_MS,
      async () => {
        await this.pass();
        return false;
      },
      logger,
    );
  }

  onApplicationBootstrap(): void {
    this.loop.start();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping = true;
    await this.loop.stop();
  }

  /** Goes once over everything that is old enough; leaves off after a page when the service stops. */
  async pass(now: number = Date.now()): Promise<Deleted> {
    const before = new Date(now - this.config.historyDays * DAY_MS);
    const deleted: Deleted = { commands: 0, requests: 0, marks: 0 };
    for (const project of await this.store.projects()) {
      for (let after: string | undefined = NIL; after && !this.stopping; await delay(BREATH_MS)) {
        const page = await this.store.deletePage(project, after, before);
        deleted.commands += page.deleted;
        after = page.last;
      }
      deleted.requests += await this.untilNone(() => this.store.deleteRequests(project, before));
    }
    deleted.marks = await this.untilNone(() => this.store.deleteMarks(before));
    if (deleted.commands + deleted.requests + deleted.marks > 0)
      this.logger.info(deleted, 'commands that ended long ago deleted');
    return deleted;
  }

  private async untilNone(deletePage: () => Promise<number>): Promise<number> {
    let total = 0;
    while (!this.stopping) {
      const count = await deletePage();
      if (count === 0) break;
      total += count;
      await delay(BREATH_MS);
    }
    return total;
  }
}
