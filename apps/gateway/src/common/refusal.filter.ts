import { LOGGER, type Logger } from '@muster/service';
import { Catch, HttpException, Inject, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { familyOf, pathOf } from '../families/families.js';
import { BODY_LIMIT } from './http.options.js';
import { Refusal, toRefusal } from './refusal.js';
import { sendRefusal } from './refusal.reply.js';
import { RouteTable } from './route-table.js';

/** Turns whatever was thrown on the way of a request into an answer of the family that owns its path. */
@Catch()
export class RefusalFilter implements ExceptionFilter {
  constructor(
    private readonly routes: RouteTable,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const refusal = request.is404 ? this.nothingThere(request) : refusalOf(error, request);
    if (refusal.status === 500) this.logger.error({ err: error, request_id: request.id }, 'request failed');
    if (reply.sent) return;
    // Fastify would close the connection under a client that is still sending, which then never sees why.
    reply.removeHeader('connection');
    sendRefusal(request, reply, refusal);
  }

  private nothingThere(request: FastifyRequest): Refusal {
    const path = pathOf(request.url);
    const allowed = this.routes.methodsOf(path);
    if (allowed.length === 0) return new Refusal(404, `no such path: ${path}`);
    return new Refusal(405, `${request.method} is not allowed here`, [], { allow: allowed.join(', ') });
  }
}

function refusalOf(error: unknown, request: FastifyRequest): Refusal {
  const isOverLimit = error instanceof HttpException && error.getStatus() === 413;
  if (!isOverLimit) return toRefusal(error);
  const { tooLarge } = familyOf(pathOf(request.url));
  return new Refusal(413, `the body is larger than ${BODY_LIMIT} bytes${tooLarge && `; ${tooLarge}`}`);
}
