import { deviceStream } from '@muster/contracts';
import { CONFIG, NATS, type ServiceConfig } from '@muster/service';
import { Inject, Injectable } from '@nestjs/common';
import type { NatsConnection } from 'nats';

/** Statuses that may wait unread before nobody asks for more: two batches. */
const LITTLE = 1_000;
const TIMEOUT_MS = 1_000;

/** How far behind the reader of statuses is, over all replicas. */
@Injectable()
export class StatusLag {
  constructor(
    @Inject(NATS) private readonly connection: NatsConnection,
    @Inject(CONFIG) private readonly config: ServiceConfig,
  ) {}

  /** Whether so many statuses wait unread that the one of a silent command may be among them. Not when the bus does not say. */
  async isBehind(): Promise<boolean> {
    try {
      const manager = await this.connection.jetstreamManager({ timeout: TIMEOUT_MS, checkAPI: false });
      const { num_pending } = await manager.consumers.info(deviceStream('status'), this.config.service);
      return num_pending > LITTLE;
    } catch {
      return false;
    }
  }
}
