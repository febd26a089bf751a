import type { FastifyServerOptions } from 'fastify';
import { STATUS_CODES, type IncomingMessage } from 'node:http';
import { v7 as uuidv7 } from 'uuid';
import { sendRefusal } from './refusal.reply.js';
import { Refusal, toRefusal } from './refusal.js';
import { problemOf, PROBLEM_TYPE } from './problem.js';

/** Largest body of a request, in bytes (interfaces: "Common to every family"); a stream of lines has none. */
export const BODY_LIMIT = 1024 * 1024;

/** A connection that moves nothing for so long is closed: a client that stopped reading must not hold its request for ever. */
const IDLE_MS = 60_000;

export const REQUEST_ID = 'x-request-id';

/** The caller's own request id when it is a sane one, so that both sides' logs can be put together; else a new one. */
function requestIdOf(request: Pick<IncomingMessage, 'headers'>): string {
  const given = request.headers[REQUEST_ID];
  return typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given) ? given : uuidv7();
}

/** What is not HTTP at all reaches no route: answered by hand, on the bare socket. */
const clientErrorHandler: FastifyServerOptions['clientErrorHandler'] = (error, socket) => {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const refusal =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? new Refusal(431, 'the headers are larger than 16 KiB')
      : new Refusal(400, 'the request is not HTTP/1.1');
  const body = JSON.stringify(problemOf(refusal));
  const head = [
    `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}`,
    `content-type: ${PROBLEM_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    `${REQUEST_ID}: ${uuidv7()}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
};

/** Settings of the gateway's HTTP server. */
export const httpOptions: FastifyServerOptions = {
  bodyLimit: BODY_LIMIT,
  connectionTimeout: IDLE_MS,
  requestIdHeader: false,
  genReqId: requestIdOf,
  routerOptions: { ignoreTrailingSlash: true },
  clientErrorHandler,
  // A path that cannot be decoded is refused before any hook runs.
  frameworkErrors: (error, request, reply) => {
    reply.header(REQUEST_ID, request.id);
    sendRefusal(request, reply, toRefusal(error));
  },
};
