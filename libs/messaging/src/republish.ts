import { DomainError } from '@muster/contracts';
import { ErrorCode, headers, NatsError, type NatsConnection } from 'nats';
import type { ParkedMessage } from './host.js';
import { reasonOf } from './reason.js';

/** Shorter than the time that an asker waits: it shall hear that the bus did not answer. */
const ACK_TIMEOUT_MS = 5_000;
/** What JetStream says of a message over the limit of its stream. */
const LARGER_THAN_STREAM = 10054;

/**
 * Publishes a parked message again, with its headers, and waits until a stream has it. `id` becomes the message's id: asking again within
 * the stream's duplicate window publishes nothing twice, and the id that it had before does not make it a duplicate.
 * @throws DomainError `too_large` when the bus or the stream cannot carry it, `unavailable` when it is not taken now.
 */
export async function republish(
  connection: NatsConnection,
  message: Pick<ParkedMessage, 'subject' | 'headers' | 'payload'>,
  id: string,
): Promise<void> {
  const meta = headers();
  for (const [name, value] of Object.entries(message.headers)) {
    // Those of the bus itself belonged to the first publishing.
    if (!/^nats-/i.test(name)) meta.set(name, value);
  }
  try {
    const jetstream = connection.jetstream({ timeout: ACK_TIMEOUT_MS });
    await jetstream.publish(message.subject, message.payload, { msgID: id, headers: meta });
  } catch (error) {
    throw refusalOf(error, message.payload.length, connection.info?.max_payload);
  }
}

function refusalOf(error: unknown, bytes: number, limit: number | undefined): DomainError {
  if (!(error instanceof NatsError)) return new DomainError('unavailable', 'the bus could not be asked');
  if ((error.code as ErrorCode) === ErrorCode.MaxPayloadExceeded) {
    return new DomainError('too_large', `${bytes} bytes and headers are more than the bus carries (${limit} bytes)`);
  }
  if (error.api_error?.err_code === LARGER_THAN_STREAM) {
    return new DomainError('too_large', `${bytes} bytes and headers are more than its stream takes`);
  }
  return new DomainError('unavailable', `the bus did not take it: ${reasonOf(error)}`);
}
