import { headers, type JetStreamClient, type MsgHdrs, type NatsConnection, type PubAck } from 'nats';

export interface OutgoingEvent {
  subject: string;
  /** The event's id: its `Nats-Msg-Id` when it is published one by one. */
  id: string;
  body: string;
}

/** A work message on its way; `id` is its `Nats-Msg-Id`. */
export interface OutgoingWork extends OutgoingEvent {
  traceparent: string | undefined;
}

/** Events that share one acknowledgement. */
export const RUN_LENGTH = 256;

const ACK_TIMEOUT_MS = 10_000;

/**
 * Publishes events to the one stream that this service writes. A run of them is sent without waiting, and only its last asks for an
 * acknowledgement: if the stream's sequence rose by exactly the run's length, all arrived. If not, the run is sent again, each event with
 * its id and an acknowledgement of its own.
 */
export class EventPublisher {
  private lastSequence: number | undefined;
  private resent = false;
  private readonly jetstream: JetStreamClient;

  constructor(
    private readonly connection: NatsConnection,
    private readonly stream: string,
  ) {
    this.jetstream = connection.jetstream({ timeout: ACK_TIMEOUT_MS });
  }

  /** @throws when the stream did not take an event: nothing may be marked as published. */
  async publish(events: readonly OutgoingEvent[]): Promise<void> {
    if (events.length === 0) return;
    try {
      this.lastSequence ??= await this.readSequence();
      await this.publishRuns(events);
    } catch (error) {
      this.lastSequence = undefined;
      throw error;
    }
  }

  private async publishRuns(events: readonly OutgoingEvent[]): Promise<void> {
    const runs: { events: readonly OutgoingEvent[]; ack: Promise<PubAck> }[] = [];
    for (let at = 0; at < events.length; at += RUN_LENGTH) {
      const run = events.slice(at, at + RUN_LENGTH);
      const last = run[run.length - 1]!;
      for (const event of run.slice(0, -1)) this.connection.publish(event.subject, event.body);
      const ack = this.jetstream.publish(last.subject, last.body);
      // Awaited in order below; until then a refusal must not count as unhandled.
      ack.catch(() => undefined);
      runs.push({ events: run, ack });
    }
    for (const run of runs) {
      const { seq } = await run.ack;
      const expected = this.lastSequence! + run.events.length;
      if (seq !== expected) await this.publishOneByOne(run.events);
      this.lastSequence = Math.max(seq, this.lastSequence!);
    }
    // Whatever was sent again came after the later runs, so the count starts afresh.
    if (this.resent) {
      this.resent = false;
      this.lastSequence = undefined;
    }
  }

  private async publishOneByOne(events: readonly OutgoingEvent[]): Promise<void> {
    this.resent = true;
    await Promise.all(events.map((event) => this.jetstream.publish(event.subject, event.body, { msgID: event.id })));
  }

  private async readSequence(): Promise<number> {
    const manager = await this.connection.jetstreamManager();
    return (await manager.streams.info(this.stream)).state.last_seq;
  }
}

/** What the headers of a message take at most: an id and a trace. */
const HEADER_BYTES = 1024;

/** Whether the bus carries the message; it counts headers and body together. */
export function fits(connection: NatsConnection, message: OutgoingEvent): boolean {
  const limit = connection.info?.max_payload ?? Infinity;
  return Buffer.byteLength(message.body) + HEADER_BYTES <= limit;
}

/** Publishes one work message and waits until the stream has it. */
export async function publishWork(connection: NatsConnection, message: OutgoingWork): Promise<void> {
  const meta: MsgHdrs = headers();
  if (message.traceparent) meta.set('traceparent', message.traceparent);
  await connection
    .jetstream({ timeout: ACK_TIMEOUT_MS })
    .publish(message.subject, message.body, { msgID: message.id, headers: meta });
}
