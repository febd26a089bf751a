import { headers, type JetStreamClient, type MsgHdrs, type NatsConnection, type PubAck } from 'nats';
import type { OutgoingEvent } from './move.events.js';
import type { OutgoingWork } from './outgoing.js';

/** Events that share one acknowledgement. */
const RUN_LENGTH = 256;

const ACK_TIMEOUT_MS = 10_000;

/** The stream counted otherwise than the events that were sent: it went back, or somebody else wrote to it. */
export class SequenceMismatch extends Error {
  constructor(
    readonly expected: number,
    readonly actual: number,
  ) {
    super(`the event stream is at ${actual}, expected ${expected}`);
  }
}

/** Where in the stream an event is, by its index in what was published. */
export type SequenceOf = (index: number) => number;

/**
 * Publishes work, and events to the one stream that this service writes. A run of them is sent without waiting, and only its last asks for an
 * acknowledgement: if the stream's sequence rose by exactly the run's length, all arrived. Any number of calls may be on their way.
 */
export class EventPublisher {
  private lastSequence = 0;
  private readonly waiting = new Set<(error: Error) => void>();
  private readonly jetstream: JetStreamClient;

  constructor(private readonly connection: NatsConnection) {
    this.jetstream = connection.jetstream({ timeout: ACK_TIMEOUT_MS });
  }

  /** Says at which sequence the stream is; nothing may be on its way. */
  startAfter(lastSequence: number): void {
    this.lastSequence = lastSequence;
  }

  /**
   * Sends all of the events before it returns.
   * @throws SequenceMismatch, or the error of the bus: none of these events, nor of later calls, may be taken as published.
   */
  publish(events: readonly OutgoingEvent[]): Promise<SequenceOf> {
    const before = this.lastSequence;
    const acks: Promise<PubAck>[] = [];
    for (let at = 0; at < events.length; at += RUN_LENGTH) {
      const last = Math.min(at + RUN_LENGTH, events.length) - 1;
      for (let index = at; index < last; index++) this.connection.publish(events[index]!.subject, events[index]!.body);
      acks.push(this.jetstream.publish(events[last]!.subject, events[last]!.body));
    }
    this.lastSequence += events.length;
    return this.unlessAbandoned(Promise.all(acks)).then((arrived) => {
      for (const [index, { seq }] of arrived.entries()) {
        const expected = before + Math.min((index + 1) * RUN_LENGTH, events.length);
        if (seq !== expected) throw new SequenceMismatch(expected, seq);
      }
      return (index) => before + index + 1;
    });
  }

  /** Publishes each event with its id and an acknowledgement of its own, in order: right whoever else writes to the stream. */
  async publishOneByOne(events: readonly OutgoingEvent[]): Promise<SequenceOf> {
    const acks = await this.unlessAbandoned(
      Promise.all(events.map(({ subject, body, id }) => this.jetstream.publish(subject, body, { msgID: id }))),
    );
    return (index) => acks[index]!.seq;
  }

  /** Publishes one work message and waits until the stream has it. */
  async publishWork(message: OutgoingWork): Promise<void> {
    const meta: MsgHdrs = headers();
    if (message.traceparent) meta.set('traceparent', message.traceparent);
    await this.unlessAbandoned(
      this.jetstream.publish(message.subject, message.body, { msgID: message.id, headers: meta }),
    );
  }

  /** Gives up what is on its way: an acknowledgement that was not there when the connection ended does not come any more. */
  abandon(error: Error): void {
    for (const reject of this.waiting) reject(error);
  }

  private unlessAbandoned<T>(outcome: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.waiting.add(reject);
      outcome.then(resolve, reject).finally(() => this.waiting.delete(reject));
    });
  }
}
