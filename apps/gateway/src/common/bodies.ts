import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import { BODY_LIMIT } from './http.options.js';
import { Refusal } from './refusal.js';

export const JSON_TYPE = 'application/json';
/** A JSON document a line. */
export const NDJSON_TYPE = 'application/x-ndjson';

const hasBody = ({ headers }: FastifyRequest) =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/** Takes bodies of the media type that their route names, and none of another. JSON is parsed; lines are left to the route, as a stream. */
export function acceptBodies(app: NestFastifyApplication): void {
  const http = app.getHttpAdapter().getInstance();

  http.addHook('onRequest', (request, _reply, done) => {
    if (request.is404) return done();
    if (!hasBody(request)) {
      // Clients name a type out of habit; where there is no body it says nothing.
      delete request.headers['content-type'];
      return done();
    }
    const { consumes = JSON_TYPE } = request.routeOptions.config;
    const given = (request.headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase();
    done(given === consumes ? undefined : new Refusal(415, `the content type must be ${consumes}`));
  });

  const parseJson = http.getDefaultJsonParser('error', 'error');
  app.useBodyParser(JSON_TYPE, { bodyLimit: BODY_LIMIT }, (request, body, done) => {
    // Chunked and yet empty.
    if (body.length === 0) done(null, undefined);
    else void parseJson(request as FastifyRequest, body.toString('utf8'), done);
  });
  http.addContentTypeParser(NDJSON_TYPE, (_request, _payload, done) => done(null));
}
