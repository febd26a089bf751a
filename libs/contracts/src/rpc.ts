import type { Static, TSchema } from 'typebox';
import type { ServiceName } from './services.js';

/** The most bytes that a page's JSON takes: with all that surrounds it, it fits into an answer on any bus. */
export const PAGE_BYTES = 512 * 1024;

/** One question, one answer: `muster.rpc.<service>.<method>` on core NATS (architecture: "Four kinds of message"). */
export interface RpcContract<Request extends TSchema = TSchema, Response extends TSchema = TSchema> {
  service: ServiceName;
  method: string;
  subject: string;
  request: Request;
  response: Response;
}

export function defineRpc<Request extends TSchema, Response extends TSchema>(
  service: ServiceName,
  method: string,
  request: Request,
  response: Response,
): RpcContract<Request, Response> {
  return { service, method, subject: `muster.rpc.${service}.${method}`, request, response };
}

export type RpcRequest<C extends RpcContract> = Static<C['request']>;
export type RpcResponse<C extends RpcContract> = Static<C['response']>;
