import { LOGGER, Loop, type Logger } from '@muster/service';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { IdempotencyStore } from './idempotency.store.js';

const INTERVAL_MS = 600_000;

/** Forgets keys older than a day. */
@Injectable()
export class IdempotencySweep implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly loop: Loop;

  constructor(store: IdempotencyStore, @Inject(LOGGER) logger: Logger) {
    this.loop = new Loop('idempotency keys', INTERVAL_MS, () => store.forgetOld(), logger);
  }

  onApplicationBootstrap(): void {
    this.loop.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.loop.stop();
  }
}
