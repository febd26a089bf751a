import { AckPolicy, Events, nanos, type ConsumerMessages, type JsMsg, type NatsConnection } from 'nats';
import { setTimeout as delay } from 'node:timers/promises';
import { backOff, PASSING_TROUBLE_MS } from './back-off.js';
import type { TransportHost } from './host.js';
import { ifThere } from './if-there.js';
import { untilLifeless } from './lifeless.js';

/** After this long without a word a message counts as lost with its reader and goes to another one. */
export const ACK_WAIT_MS = 5_000;

/** How long a request for messages stands. While it does, each half of that brings a message or a sign of life. */
const EXPIRES_MS = 10_000;

/** A page of metrics does not wait longer for a bus that is away. */
const LAG_TIMEOUT_MS = 1_000;

export interface PullOptions {
  stream: string;
  durable: string;
  subject: string;
  /** Messages asked for ahead of those being handled. */
  prefetch: number;
  /** Unacknowledged messages over all replicas. */
  maxPending: number;
}

/** How far a durable consumer is behind: messages that no reader has yet, and those that one has and did not settle. */
export interface Lag {
  consumer: string;
  waiting: number;
  unsettled: number;
}

/**
 * Reads a durable consumer for as long as it is not stopped: makes it when it is missing, opens it again when the connection or the stream was
 * lost, and makes it anew when the server that kept it is another one than before, or when it gives no sign of life.
 */
export class PullConsumer {
  private readonly stopping = new AbortController();
  private messages: ConsumerMessages | undefined;
  /** Who kept the consumer when it was opened. */
  private keeper: string | undefined;
  /** When the consumer that is read was made, and that of one that gave no sign of life, as the server says it. */
  private created: string | undefined;
  private lifeless: string | undefined;
  private running: Promise<void> | undefined;

  constructor(
    private readonly connection: NatsConnection,
    private readonly options: PullOptions,
    private readonly host: Pick<TransportHost, 'onError'>,
    private readonly ensureStreams: () => Promise<void>,
    private readonly read: (messages: AsyncIterable<JsMsg>) => Promise<void>,
  ) {}

  start(): void {
    void this.openAgainElsewhere();
    this.running = this.run();
  }

  /** Takes no more messages and waits for those being handled. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.messages?.close().catch(() => undefined);
    await this.running;
  }

  /** @throws when the bus or the consumer is away. */
  async lag(): Promise<Lag> {
    const { stream, durable } = this.options;
    const manager = await this.connection.jetstreamManager({ timeout: LAG_TIMEOUT_MS, checkAPI: false });
    const { num_pending, num_ack_pending } = await manager.consumers.info(stream, durable);
    return { consumer: `${stream} ${durable}`, waiting: num_pending, unsettled: num_ack_pending };
  }

  private async run(): Promise<void> {
    let failures = 0;
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        this.messages = await this.open();
        failures = 0;
        // Not awaited: it ends with the messages that are still to be read.
        if (signal.aborted) void this.messages.close();
        void this.openAnewIfLifeless(this.messages);
        await this.read(this.messages);
      } catch (error) {
        if (signal.aborted) return;
        failures++;
        this.host.onError(this.options.subject, error);
      }
      await delay(backOff(Math.max(failures, 1), PASSING_TROUBLE_MS), undefined, { signal }).catch(() => undefined);
    }
  }

  private async openAgainElsewhere(): Promise<void> {
    for await (const { type } of this.connection.status()) {
      if (this.stopping.signal.aborted) return;
      if (type === Events.Reconnect && keeperOf(this.connection) !== this.keeper)
        void this.messages?.close().catch(() => undefined);
    }
  }

  private async openAnewIfLifeless(messages: ConsumerMessages): Promise<void> {
    if (!(await untilLifeless(await messages.status()))) return;
    this.host.onError(this.options.subject, new Error('the consumer gives no sign of life, and is made anew'));
    this.lifeless = this.created;
    await messages.close().catch(() => undefined);
  }

  private async open(): Promise<ConsumerMessages> {
    await this.ensureStreams();
    const { stream, durable, subject, maxPending, prefetch } = this.options;
    const manager = await this.connection.jetstreamManager();
    const keeper = keeperOf(this.connection);
    this.keeper = keeper;
    const settings = {
      ack_wait: nanos(ACK_WAIT_MS),
      max_ack_pending: maxPending,
      max_deliver: -1,
      description: keeper,
    };
    const found = await ifThere(manager.consumers.info(stream, durable));
    // Another reader may have made it anew meanwhile.
    const isKept = found && (found.config.description ?? keeper) === keeper && found.created !== this.lifeless;
    if (found && !isKept) await manager.consumers.delete(stream, durable);
    const { created } = isKept
      ? await manager.consumers.update(stream, durable, settings)
      : await manager.consumers.add(stream, {
          durable_name: durable,
          filter_subject: subject,
          ack_policy: AckPolicy.Explicit,
          ...settings,
        });
    this.created = created;
    const consumer = await this.connection.jetstream().consumers.get(stream, durable);
    return consumer.consume({ max_messages: prefetch, expires: EXPIRES_MS, abort_on_missing_resource: true });
  }
}

/**
 * Who keeps what a consumer knows. A single server that was killed has forgotten acknowledgements, and waits for ever for those of messages that
 * it has lost, until that fills all that may be unacknowledged: whatever was lost is handled again by a consumer made anew, and nothing is
 * waited for (ADR 10). Readers on different servers of a cluster must not take turns at that.
 */
function keeperOf({ info }: NatsConnection): string {
  return info?.cluster ? `kept by the cluster ${info.cluster}` : `kept by the server ${info?.server_id}`;
}

/** Keeps telling the server that a message is being worked on, until `done` settles. */
export async function whileWorking<T>(messages: readonly JsMsg[], done: Promise<T>): Promise<T> {
  const timer = setInterval(() => messages.forEach((message) => message.working()), ACK_WAIT_MS / 3);
  try {
    return await done;
  } finally {
    clearInterval(timer);
  }
}
