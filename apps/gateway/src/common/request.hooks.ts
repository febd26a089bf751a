import { inRequestSpan, type Logger } from '@muster/service';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Access } from '../auth/roles.js';
import type { Principal } from '../auth/principal.js';
import { REQUEST_ID } from './http.options.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Whom the token stands for; absent on routes that need none. */
    principal: Principal | undefined;
    /** Runs something in the request's trace. */
    inTrace: (<T>(run: () => T) => T) | undefined;
  }
  interface FastifyContextConfig {
    /** What the route asks of a token; absent: it needs none. */
    access?: Access;
    /** Media type of the body that the route takes; JSON unless told. */
    consumes?: string;
  }
}

const header = (value: string | string[] | undefined) => (typeof value === 'string' ? value : undefined);

const routeOf = (request: FastifyRequest) => request.routeOptions.url ?? 'none';

/** Gives every request its id, its trace and a server span, and its line in the log. */
export function followRequests(http: FastifyInstance, logger: Logger): void {
  http.decorateRequest('inTrace', undefined);

  http.addHook('onRequest', (request, reply, done) => {
    const started = performance.now();
    reply.header(REQUEST_ID, request.id);
    const name = `${request.method} ${routeOf(request)}`;
    const traceparent = header(request.headers['traceparent']);
    void inRequestSpan(name, traceparent, async () => {
      const inTrace = AsyncLocalStorage.snapshot();
      request.inTrace = inTrace;
      // `close` comes after the answer and also when the client went away before it.
      const closed = new Promise<void>((resolve) => reply.raw.once('close', resolve));
      done();
      await closed;
      inTrace(() => logger.info(accessOf(request, reply.raw, performance.now() - started), 'request'));
    });
  });

  // A body arrives in the context of its socket; what follows belongs to the request again.
  http.addHook('preValidation', (request, _reply, done) => {
    if (request.inTrace) request.inTrace(done);
    else done();
  });
}

const accessOf = (request: FastifyRequest, raw: { statusCode: number; writableFinished: boolean }, ms: number) => ({
  method: request.method,
  route: routeOf(request),
  status: raw.statusCode,
  ms: Math.round(ms * 10) / 10,
  request_id: request.id,
  ...(!raw.writableFinished && { aborted: true }),
});
