import { BATCH_SIZE } from '@muster/contracts';
import { batches, BoundedQueue } from '@muster/messaging';
import { CONFIG, Drops, LOGGER, Loop, onceInAWhile, type Logger, type ServiceConfig } from '@muster/service';
import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import type { Subscription } from 'nats';
import { BusKeys } from '../credentials/bus.keys.js';
import { SystemBus } from '../credentials/system.bus.js';
import { wordOf, type Word } from './advisory.js';
import { Connections } from './connections.js';

/** Gathered for so long while many come, as after the start of a nats-server. */
const LINGER = { leastMs: 2, mostMs: 50 };
/** What may wait; a word that is lost is made up for by heartbeats. */
const QUEUE = { items: 100_000, bytes: 64 * 1024 * 1024 };
const WORD_BYTES = 512;
const SWEEP_MS = 60_000;

/** Hears from the bus who connects and disconnects; of several replicas one hears each word. */
@Injectable()
export class ConnectionsListener implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly queue: BoundedQueue<Word>;
  private readonly loop: Loop;
  private readonly tell: (error: unknown) => void;
  private subscriptions: Subscription[] = [];
  private reading: Promise<void> | undefined;

  constructor(
    private readonly connections: Connections,
    private readonly busKeys: BusKeys,
    private readonly system: SystemBus,
    drops: Drops,
    @Inject(CONFIG) private readonly config: ServiceConfig,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.queue = new BoundedQueue<Word>(
      QUEUE,
      () => WORD_BYTES,
      ({ project_id, device_id }) => drops.count('connection', 'overflow', { project_id, device_id }),
    );
    this.loop = new Loop('ends of connections', SWEEP_MS, () => this.connections.sweep(), logger);
    this.tell = onceInAWhile((error) => logger.error({ err: error }, 'words of connections are lost'));
  }

  async onApplicationBootstrap(): Promise<void> {
    const { connection } = this.system;
    const { keys } = this.busKeys;
    if (!connection || !keys) return;
    this.subscriptions = (['CONNECT', 'DISCONNECT'] as const).map((what) =>
      connection.subscribe(`$SYS.ACCOUNT.${keys.account}.${what}`, {
        queue: this.config.service,
        callback: (error, message) => {
          const word = error ? undefined : wordOf(what, message.string());
          if (word) this.queue.push(word);
        },
      }),
    );
    this.reading = this.read();
    this.loop.start();
    await connection.flush();
  }

  async beforeApplicationShutdown(): Promise<void> {
    for (const subscription of this.subscriptions) subscription.unsubscribe();
    this.queue.close();
    await this.reading;
    await this.loop.stop();
  }

  private async read(): Promise<void> {
    for await (const words of batches(this.queue, BATCH_SIZE, LINGER))
      await this.connections.record(words).catch(this.tell);
  }
}
