import {
  DomainError,
  type DomainErrorKind,
  type RpcContract,
  type RpcRequest,
  type RpcResponse,
} from '@muster/contracts';
import { context, SpanKind } from '@opentelemetry/api';
import { ErrorCode, NatsError, type NatsConnection } from 'nats';
import { setTimeout as delay } from 'node:timers/promises';
import { inSpan, outgoingHeaders } from './headers.js';

/** What comes back over rpc: an answer, or a refusal with its kind. */
export type RpcReply =
  { ok: unknown } | { error: { kind: DomainErrorKind; message: string; details: DomainError['details'] } };

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
    return inSpan(`rpc ${contract.service}.${contract.method}`, SpanKind.CLIENT, context.active(), async () => {
      const reply = await this.ask(contract, JSON.stringify(request), timeoutMs);
      if ('error' in reply) throw new DomainError(reply.error.kind, reply.error.message, reply.error.details);
      return reply.ok as RpcResponse<C>;
    });
  }

  private async ask(contract: RpcContract, body: string, timeout: number): Promise<RpcReply> {
    const giveUp = Date.now() + AWAY_MS;
    for (;;) {
      try {
        const message = await this.connection.request(contract.subject, body, { timeout, headers: outgoingHeaders() });
        return message.json<RpcReply>();
      } catch (error) {
        const code = error instanceof NatsError ? (error.code as ErrorCode) : undefined;
        if (code === ErrorCode.MaxPayloadExceeded) {
          const limit = this.connection.info?.max_payload;
          throw new DomainError('too_large', `the request is larger than the bus carries (${limit} bytes)`);
        }
        if (code === ErrorCode.NoResponders && Date.now() < giveUp) await delay(AWAY_RETRY_MS);
        else throw new DomainError('unavailable', `${contract.service} does not answer`);
      }
    }
  }
}
