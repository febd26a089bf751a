import { DomainError, parse, WORK_STREAM, workBatchSchema, type WorkBatch, type WorkContract } from '@muster/contracts';
import { SpanKind } from '@opentelemetry/api';
import type { JsMsg, NatsConnection } from 'nats';
import { isAcknowledgement } from './acknowledgement.js';
import { carefully } from './careful.js';
import { Gate } from './gate.js';
import { inSpan, incomingContext } from './headers.js';
import type { TransportHost } from './host.js';
import { PullConsumer, whileWorking } from './pull.consumer.js';
import { park, settleFailure } from './settle.js';

/**
 * Hands batches of work to their handler: acknowledged when it returns, again later when it throws, parked when that does not help. What is
 * no batch of the contract is parked at once.
 */
export function workConsumer(
  connection: NatsConnection,
  contract: WorkContract,
  concurrency: number,
  host: TransportHost,
  ensureStreams: () => Promise<void>,
  handle: (batch: WorkBatch) => Promise<void>,
): PullConsumer {
  const options = {
    stream: WORK_STREAM,
    durable: contract.consumer,
    subject: contract.subject,
    prefetch: concurrency * 2,
    maxPending: 256,
  };

  const schema = workBatchSchema(contract);

  const handleOne = async (message: JsMsg): Promise<void> => {
    let batch: WorkBatch;
    try {
      const payload = message.json();
      if (isAcknowledgement(payload)) {
        host.onDropped('work', 'invalid', { subject: message.subject, message: 'an acknowledgement of the bus' });
        message.term();
        return;
      }
      batch = parse(schema, payload);
    } catch (error) {
      await park(message, error instanceof DomainError ? error.message : 'not JSON', host);
      return;
    }
    const started = performance.now();
    const seconds = () => (performance.now() - started) / 1000;
    try {
      const handled = inSpan(
        `work ${contract.service}.${contract.verb}`,
        SpanKind.CONSUMER,
        incomingContext(message.headers),
        () => handle(batch),
      );
      await whileWorking([message], handled);
      message.ack();
      host.onHandled(contract.subject, 'ok', seconds());
    } catch (error) {
      host.onHandled(contract.subject, 'failed', seconds());
      host.onError(contract.subject, error);
      await settleFailure(message, error, host);
    }
  };

  const handleOnly = async ([message]: readonly JsMsg[]) => {
    if (message) await handleOne(message);
  };

  return new PullConsumer(connection, options, host, ensureStreams, async (messages) => {
    const gate = new Gate(concurrency);
    try {
      for await (const message of messages)
        await gate.enter(() => carefully([message], (one) => one, host, handleOnly));
    } finally {
      await gate.idle();
    }
  });
}
