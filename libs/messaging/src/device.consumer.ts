import {
  deviceStream,
  DeviceSender,
  isObject,
  isStorable,
  MAX_DEVICE_PAYLOAD,
  NOT_STORABLE,
  parseDeviceSubject,
  validate,
  type ChannelName,
  type DeviceChannel,
  type JsonObject,
  type ServiceName,
} from '@muster/contracts';
import { ROOT_CONTEXT, SpanKind } from '@opentelemetry/api';
import type { JsMsg, Msg, MsgHdrs, NatsConnection, Subscription } from 'nats';
import { isAcknowledgement } from './acknowledgement.js';
import { batches, type Linger } from './batches.js';
import { carefully } from './careful.js';
import { Gate } from './gate.js';
import { inSpan, markArrival } from './headers.js';
import type { DropReason, TransportHost } from './host.js';
import { LatestQueue } from './latest.queue.js';
import type { DeviceMessage } from './patterns.js';
import { PullConsumer, whileWorking } from './pull.consumer.js';
import { settleFailure } from './settle.js';

const BATCH = 500;
/** Someone waits for the status of a command; nobody waits for what a device says of itself, nor at all for what nobody keeps. */
const LINGER_MS = { status: 15, stream: 50, core: 500 };
const LEAST_LINGER_MS = 2;
/** Below this many characters no text nests deep enough to exhaust the stack. */
const SHORT_TEXT = 1024;
/** What may wait of a channel that nobody keeps while its handler is slow. */
const CORE_QUEUE = { items: 20 * BATCH, bytes: 16 * 1024 * 1024 };

export type DeviceHandler = (messages: DeviceMessage[]) => Promise<void>;

type Stamp = Pick<DeviceMessage, 'at' | 'sequence'>;

interface Raw {
  subject: string;
  data: Uint8Array;
  headers?: MsgHdrs;
}

/** What is left of a status that is too large: the end of a command is worth more than its evidence. Undefined if it is too large all the same. */
function withoutEvidence(status: unknown): JsonObject | undefined {
  if (!isObject(status) || !isObject(status['evidence'])) return undefined;
  const { evidence, reason = '', ...rest } = status;
  const note = `evidence dropped: ${Buffer.byteLength(JSON.stringify(evidence))} bytes`;
  const left = { ...rest, reason: typeof reason === 'string' ? `${note}${reason && '; '}${reason}` : reason };
  return Buffer.byteLength(JSON.stringify(left)) > MAX_DEVICE_PAYLOAD ? undefined : left;
}

function check(
  channel: DeviceChannel,
  message: Raw,
  stamp: Stamp,
): DeviceMessage | { dropped: DropReason; message: string } {
  const tooLarge = { dropped: 'too_large', message: `${message.data.length} bytes` } as const;
  const isTooLarge = message.data.length > MAX_DEVICE_PAYLOAD;
  if (isTooLarge && channel.name !== 'status') return tooLarge;
  const text = Buffer.from(message.data.buffer, message.data.byteOffset, message.data.length).toString('utf8');
  let payload: unknown;
  try {
    payload = text === '' ? {} : JSON.parse(text);
  } catch {
    return isTooLarge ? tooLarge : { dropped: 'not_json', message: 'not JSON' };
  }
  // Writing the payload out again to look at it costs more than all the other checks, and only an escape or deep nesting can hide there.
  if ((text.length >= SHORT_TEXT || text.includes('\\u')) && !isStorable(payload))
    return { dropped: 'invalid', message: NOT_STORABLE };
  if (isTooLarge) {
    payload = withoutEvidence(payload);
    if (payload === undefined) return tooLarge;
  }
  if (isAcknowledgement(payload)) return { dropped: 'invalid', message: 'an acknowledgement of the bus' };
  const sender = parseDeviceSubject(message.subject);
  if (validate(DeviceSender, sender).length > 0)
    return { dropped: 'invalid', message: 'project or device of the subject' };
  const [error] = validate(channel.payload, payload);
  if (error) return { dropped: 'invalid', message: `${error.field}: ${error.message}` };
  return {
    ...sender,
    payload,
    ...stamp,
  };
}

/** Splits a batch into what a handler may see and what is dropped, counted and told. */
function sift<M extends Raw>(
  channel: DeviceChannel,
  raw: readonly M[],
  stampOf: (message: M) => Stamp,
  host: TransportHost,
) {
  const kept: { source: M; message: DeviceMessage }[] = [];
  const dropped: M[] = [];
  for (const source of raw) {
    const checked = check(channel, source, stampOf(source));
    if ('dropped' in checked) {
      host.onDropped(channel.name, checked.dropped, { subject: source.subject, message: checked.message });
      dropped.push(source);
    } else {
      kept.push({ source, message: checked });
    }
  }
  return { kept, dropped };
}

const lingerOf = ({ name, carrier }: DeviceChannel): Linger => ({
  leastMs: LEAST_LINGER_MS,
  mostMs: name === 'status' ? LINGER_MS.status : LINGER_MS[carrier],
});

const stampInStream = ({ info, seq }: JsMsg): Stamp => ({ at: Math.floor(info.timestampNanos / 1e6), sequence: seq });

function handleInSpan(
  channel: DeviceChannel,
  kept: readonly { source: Raw; message: DeviceMessage }[],
  handle: DeviceHandler,
): Promise<void> {
  const name = `device ${channel.name}`;
  for (const { source } of kept) markArrival(name, source.headers);
  const messages = kept.map(({ message }) => message);
  return inSpan(`${name} batch`, SpanKind.CONSUMER, ROOT_CONTEXT, () => handle(messages));
}

/** A channel kept in a stream: batches are acknowledged when handled; a batch that fails is halved until the one to blame is alone. */
export function deviceStreamConsumer(
  connection: NatsConnection,
  service: ServiceName,
  channel: DeviceChannel,
  concurrency: number,
  host: TransportHost,
  ensureStreams: () => Promise<void>,
  handle: DeviceHandler,
): PullConsumer {
  const subject = `muster.dev.*.*.${channel.name}`;
  const options = {
    stream: deviceStream(channel.name as ChannelName),
    durable: service,
    subject,
    prefetch: BATCH * concurrency,
    maxPending: BATCH * concurrency * 4,
  };

  const handleKept = async (kept: readonly { source: JsMsg; message: DeviceMessage }[]): Promise<void> => {
    if (kept.length === 0) return;
    const started = performance.now();
    const seconds = () => (performance.now() - started) / 1000;
    try {
      const handled = handleInSpan(channel, kept, handle);
      await whileWorking(
        kept.map(({ source }) => source),
        handled,
      );
      for (const { source } of kept) source.ack();
      host.onHandled(subject, 'ok', seconds());
    } catch (error) {
      host.onHandled(subject, 'failed', seconds());
      if (kept.length > 1 && !host.isTransient(error)) {
        const middle = kept.length >> 1;
        await handleKept(kept.slice(0, middle));
        await handleKept(kept.slice(middle));
        return;
      }
      host.onError(subject, error);
      await Promise.all(kept.map(({ source }) => settleFailure(source, error, host)));
    }
  };

  const linger = lingerOf(channel);
  return new PullConsumer(connection, options, host, ensureStreams, async (messages) => {
    const gate = new Gate(concurrency);
    try {
      for await (const batch of batches(messages, BATCH, linger)) {
        await gate.enter(async () => {
          const { kept, dropped } = sift(channel, batch, stampInStream, host);
          for (const message of dropped) message.term();
          await carefully(kept, ({ source }) => source, host, handleKept);
        });
      }
    } finally {
      await gate.idle();
    }
  });
}

/**
 * A channel that nobody keeps: what cannot be handled now is worth nothing later, so a handler that is slow hears the newest of each device alone,
 * and loses the oldest when there are too many.
 */
export function deviceCoreConsumer(
  connection: NatsConnection,
  service: ServiceName,
  channel: DeviceChannel,
  host: TransportHost,
  handle: DeviceHandler,
): { start(): void; stop(): Promise<void> } {
  const subject = `muster.dev.*.*.${channel.name}`;
  let subscription: Subscription | undefined;
  let reading: Promise<void> | undefined;
  const drop = ({ subject: from }: Msg, reason: DropReason) =>
    host.onDropped(channel.name, reason, { subject: from, message: reason });
  const queue = new LatestQueue<Msg>(
    CORE_QUEUE,
    (message) => message.subject,
    ({ data }) => data.length,
    drop,
  );

  const read = async (source: AsyncIterable<Msg>): Promise<void> => {
    for await (const batch of batches<Msg>(source, BATCH, lingerOf(channel))) {
      const stamp = { at: Date.now(), sequence: 0 };
      const { kept } = sift(channel, batch, () => stamp, host);
      if (kept.length === 0) continue;
      try {
        await handleInSpan(channel, kept, handle);
      } catch (error) {
        host.onError(subject, error);
      }
    }
  };

  return {
    start() {
      subscription = connection.subscribe(subject, {
        queue: service,
        callback: (error, message) => {
          if (error) return;
          // Where the bus holds nobody to a size, a few such messages would push all others out.
          if (message.data.length > MAX_DEVICE_PAYLOAD) drop(message, 'too_large');
          else queue.push(message);
        },
      });
      reading = read(queue);
    },
    async stop() {
      subscription?.unsubscribe();
      queue.close();
      await reading;
    },
  };
}
