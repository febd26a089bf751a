import {
  DomainError,
  type DomainErrorKind,
  type RpcContract,
  type RpcRequest,
  type RpcResponse,
} from '@muster/contracts';
import { context, SpanKind } from '@opentelemetry/api';
import { ErrorCode, NatsError, type Msg, type NatsConnection } from 'nats';
import { setTimeout as delay } from 'node:timers/promises';
import { inSpan, outgoingHeaders } from './headers.js';

/** What comes back over rpc: an answer, or a refusal with its kind. */
export type RpcReply =
  { ok: unknown } | { error: { kind: DomainErrorKind; message: string; details: DomainError['details'] } };

/** How every answer begins; what follows it, up to the last brace, is the text of the document. */
export const OK = '{"ok":';

const TIMEOUT_MS = 10_000;
/** How long a service that is just being restarted is waited for. */
const AWAY_MS = 5_000;
const AWAY_RETRY_MS = 100;

/** Asks other services. */
export class RpcClient {
  constructor(private readonly connection: NatsConnection) {}

  /**
   * @throws DomainError as the service refused it; `too_large` when the bus cannot carry the request; `unavailable` when nobody answers. Only a question that reached nobody is asked again:
   * one that timed out may have been carried out.
   */
  async call<C extends RpcContract>(
    contract: C,
    request: RpcRequest<C>,
    timeoutMs = TIMEOUT_MS,
  ): Promise<RpcResponse<C>> {
    return this.ask(contract, request, timeoutMs, (reply) => documentOf(reply) as RpcResponse<C>);
  }

  /** The answer as JSON text, for who only hands it on. Refusals and failures are those of {@link call}. */
  async callForText<C extends RpcContract>(contract: C, request: RpcRequest<C>): Promise<Buffer> {
    return this.ask(contract, request, TIMEOUT_MS, (reply) => {
      // A copy: the client of the bus may use its buffer again.
      const data = Buffer.from(reply.data);
      if (data.subarray(0, OK.length).toString() === OK) return data.subarray(OK.length, -1);
      return Buffer.from(JSON.stringify(documentOf(reply)));
    });
  }

  private ask<T>(contract: RpcContract, request: unknown, timeout: number, read: (reply: Msg) => T): Promise<T> {
    return inSpan(`rpc ${contract.service}.${contract.method}`, SpanKind.CLIENT, context.active(), async () =>
      read(await this.send(contract, JSON.stringify(request), timeout)),
    );
  }

  private async send(contract: RpcContract, body: string, timeout: number): Promise<Msg> {
    const giveUp = Date.now() + AWAY_MS;
    for (;;) {
      try {
        return await this.connection.request(contract.subject, body, { timeout, headers: outgoingHeaders() });
      } catch (error) {
        const code = error instanceof NatsError ? (error.code as ErrorCode) : undefined;
        if (code === ErrorCode.MaxPayloadExceeded) {
          const limit = this.connection.info?.max_payload;
          throw new DomainError('too_large', `the request is larger than the bus carries (${limit} bytes)`);
        }
        if (code === ErrorCode.PermissionsViolation)
          throw new Error(
            `the bus lets this service not ask ${contract.subject}: \`uses\` in libs/contracts does not name it`,
          );
        if (code === ErrorCode.NoResponders && Date.now() < giveUp) await delay(AWAY_RETRY_MS);
        else throw new DomainError('unavailable', `${contract.service} does not answer`);
      }
    }
  }
}

function documentOf(message: Msg): unknown {
  const reply = message.json<RpcReply>();
  if ('error' in reply) throw new DomainError(reply.error.kind, reply.error.message, reply.error.details);
  return reply.ok;
}
