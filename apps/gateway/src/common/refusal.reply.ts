import type { FastifyReply, FastifyRequest } from 'fastify';
import { familyOf, pathOf } from '../families/families.js';
import type { Refusal } from './refusal.js';

/** Answers with a refusal in the shape of the family that owns the path. */
export function sendRefusal(
  request: Pick<FastifyRequest, 'url'>,
  reply: Pick<FastifyReply, 'status' | 'headers' | 'header' | 'send'>,
  refusal: Refusal,
): void {
  const family = familyOf(pathOf(request.url));
  reply.status(refusal.status).headers(refusal.headers).header('content-type', family.errorType);
  reply.send(JSON.stringify(family.render(refusal)));
}
