import { DomainError, parse, type RpcContract, type ServiceName } from '@muster/contracts';
import { SpanKind } from '@opentelemetry/api';
import type { Msg, NatsConnection, Subscription } from 'nats';
import { setTimeout as delay } from 'node:timers/promises';
import { inSpan, incomingContext } from './headers.js';
import type { TransportHost } from './host.js';
import { JsonText } from './json.text.js';
import { OK, type RpcReply } from './rpc.client.js';

const DRAIN_MS = 1_000;
/** Requests of one method that are handled at once; the others wait, so that a rush does not exhaust memory and database. */
const CONCURRENCY = 64;
/** What may wait of one method; whoever comes after that is told at once to come later. */
const WAITING = { requests: 1_000, bytes: 16 * 1024 * 1024 };

type Refusal = Extract<RpcReply, { error: unknown }>['error'];

/** Answers one question's subject, in the queue group of the service; a request that does not fit the contract is refused as `invalid`. */
export function rpcServer(
  connection: NatsConnection,
  service: ServiceName,
  contract: RpcContract,
  host: TransportHost,
  handle: (request: unknown) => Promise<unknown>,
): { start(): void; stop(): Promise<void> } {
  let subscription: Subscription | undefined;
  const running = new Set<Promise<void>>();
  const waiting: Msg[] = [];
  let waitingBytes = 0;

  const answer = async (message: Msg): Promise<void> => {
    const started = performance.now();
    const seconds = () => (performance.now() - started) / 1000;
    let reply: string;
    try {
      const request = parse(contract.request, message.json());
      const parent = incomingContext(message.headers);
      const name = `rpc ${service}.${contract.method}`;
      reply = answered(await inSpan(name, SpanKind.SERVER, parent, () => handle(request)));
      host.onHandled(contract.subject, 'ok', seconds());
    } catch (error) {
      reply = refused(refusalOf(error));
      host.onHandled(contract.subject, error instanceof DomainError ? 'refused' : 'failed', seconds());
      if (!(error instanceof DomainError)) host.onError(contract.subject, error);
    }
    if (!respond(message, reply)) respond(message, refused(couldNotAnswer));
  };

  /** @returns whether the bus took it: it takes none that is larger than it carries. */
  const respond = (message: Msg, reply: string): boolean => {
    try {
      message.respond(reply);
      return true;
    } catch (error) {
      host.onError(contract.subject, error);
      return false;
    }
  };

  const next = (): void => {
    if (running.size >= CONCURRENCY) return;
    const message = waiting.shift();
    if (!message) return;
    waitingBytes -= message.data.length;
    const promise = answer(message).finally(() => {
      running.delete(promise);
      next();
    });
    running.add(promise);
  };

  const turnAway = (message: Msg): void => {
    respond(message, refused({ kind: 'unavailable', message: `${service} has too much to do`, details: {} }));
    host.onHandled(contract.subject, 'busy', 0);
  };

  const answered = (answer: unknown): string =>
    answer instanceof JsonText ? `${OK}${answer.text}}` : JSON.stringify({ ok: answer } satisfies RpcReply);

  const refused = (error: Refusal) => JSON.stringify({ error } satisfies RpcReply);

  // The cause is in the log; outside it could hold a secret.
  const couldNotAnswer: Refusal = { kind: 'unavailable', message: `${service} could not answer`, details: {} };

  const refusalOf = (error: unknown): Refusal =>
    error instanceof DomainError
      ? { kind: error.kind, message: error.message, details: error.details }
      : couldNotAnswer;

  return {
    start() {
      subscription = connection.subscribe(contract.subject, {
        queue: service,
        callback: (error, message) => {
          if (error) return;
          if (waiting.length >= WAITING.requests || waitingBytes + message.data.length > WAITING.bytes) {
            turnAway(message);
            return;
          }
          waiting.push(message);
          waitingBytes += message.data.length;
          next();
        },
      });
    },
    async stop() {
      // What has arrived is still answered; on a bus that is away there is nothing to wait for.
      await Promise.race([subscription?.drain(), delay(DRAIN_MS, undefined, { ref: false })]);
      while (running.size > 0) await Promise.all(running);
    },
  };
}
