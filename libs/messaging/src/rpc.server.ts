import { DomainError, type RpcContract, type ServiceName } from '@muster/contracts';
import { SpanKind } from '@opentelemetry/api';
import type { Msg, NatsConnection, Subscription } from 'nats';
import { setTimeout as delay } from 'node:timers/promises';
import { inSpan, incomingContext } from './headers.js';
import type { TransportHost } from './host.js';
import type { RpcReply } from './rpc.client.js';

const DRAIN_MS = 1_000;

/** Answers one question's subject, in the queue group of the service. */
export function rpcServer(
  connection: NatsConnection,
  service: ServiceName,
  contract: RpcContract,
  host: TransportHost,
  handle: (request: unknown) => Promise<unknown>,
): { start(): void; stop(): Promise<void> } {
  let subscription: Subscription | undefined;
  const running = new Set<Promise<void>>();

  const answer = async (message: Msg): Promise<void> => {
    const started = performance.now();
    const seconds = () => (performance.now() - started) / 1000;
    let reply: RpcReply;
    try {
      const request = message.json();
      const parent = incomingContext(message.headers);
      reply = { ok: await inSpan(`rpc ${service}.${contract.method}`, SpanKind.SERVER, parent, () => handle(request)) };
      host.onHandled(contract.subject, 'ok', seconds());
    } catch (error) {
      reply = { error: refusal(error) };
      host.onHandled(contract.subject, error instanceof DomainError ? 'refused' : 'failed', seconds());
      if (!(error instanceof DomainError)) host.onError(contract.subject, error);
    }
    try {
      message.respond(JSON.stringify(reply));
    } catch (error) {
      // The answer is larger than the bus carries.
      host.onError(contract.subject, error);
      message.respond(JSON.stringify({ error: refusal(error) } satisfies RpcReply));
    }
  };

  const refusal = (error: unknown): Extract<RpcReply, { error: unknown }>['error'] => {
    if (error instanceof DomainError) return { kind: error.kind, message: error.message, details: error.details };
    // The cause is in the log; outside it could hold a secret.
    return { kind: 'unavailable', message: `${service} could not answer`, details: {} };
  };

  return {
    start() {
      subscription = connection.subscribe(contract.subject, {
        queue: service,
        callback: (error, message) => {
          if (error) return;
          const promise = answer(message).finally(() => running.delete(promise));
          running.add(promise);
        },
      });
    },
    async stop() {
      // What has arrived is still answered; on a bus that is away there is nothing to wait for.
      await Promise.race([subscription?.drain(), delay(DRAIN_MS, undefined, { ref: false })]);
      await Promise.all(running);
    },
  };
}
