import { DomainError, invalidField } from '@muster/contracts';
import { createParamDecorator, Injectable, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { createHash } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { IdempotencyKeyEntity } from './idempotency-key.entity.js';
import { IdempotencyStore } from './idempotency.store.js';

/** What identifies a create: `key` is the `Idempotency-Key` header, `hash` covers method, path and body. */
export interface CreateRequest {
  project: string;
  key: string | undefined;
  hash: string;
}

/** The {@link CreateRequest} of the request. @throws DomainError `invalid` for a key that is not 1 to 255 printable characters. */
export const Creating = createParamDecorator((_: unknown, context: ExecutionContext): CreateRequest => {
  return createRequestOf(context.switchToHttp().getRequest<FastifyRequest>());
});

const HEADER = 'Idempotency-Key';

export function createRequestOf(
  request: Pick<FastifyRequest, 'headers' | 'method' | 'url' | 'body' | 'principal'>,
): CreateRequest {
  const key = request.headers[HEADER.toLowerCase()];
  if (key !== undefined && (typeof key !== 'string' || !/^[\x20-\x7e]{1,255}$/.test(key)))
    throw invalidField(HEADER, 'must be 1 to 255 printable ASCII characters');
  const path = request.url.split('?', 1)[0]!.replace(/\/$/, '');
  // A body that may be left out is the same as an empty object.
  const asked = `${request.method} ${path}\n${JSON.stringify(request.body ?? {})}`;
  const hash = createHash('sha256').update(asked).digest('hex');
  return { project: request.principal?.project ?? '', key, hash };
}

/**
 * Creates once per `Idempotency-Key` (interfaces: "Common to every family"). The id of what is created is fixed before it is created, and
 * the services' creates are idempotent by id: so a create that was interrupted, or that runs twice at the same time, makes one thing.
 */
@Injectable()
export class Idempotency {
  constructor(private readonly store: IdempotencyStore) {}

  /**
   * Gives the stored answer, or carries `perform` out and stores its answer.
   * @throws DomainError `mismatch` when the key was used for another request, and what `perform` throws.
   */
  async create<T extends object>(request: CreateRequest, perform: (id: string) => Promise<T>): Promise<T> {
    const claim = await this.claim(request);
    if (!claim) return perform(uuidv7());
    // Stored by this very route, for a request with the same body.
    if (claim.response) return claim.response as T;
    const response = await this.perform(claim, perform);
    await this.store.settle(claim, response);
    return response;
  }

  /** Like {@link create}, for an answer that must not be stored: `perform` is carried out each time, with the same id. */
  async repeat<T extends object>(request: CreateRequest, perform: (id: string) => Promise<T>): Promise<T> {
    const claim = await this.claim(request);
    if (!claim) return perform(uuidv7());
    const response = await this.perform(claim, perform);
    // What was created may be refused later, when it is revoked: the key must not become free by that, and create another one.
    if (!claim.response) await this.store.settle(claim, {});
    return response;
  }

  private async claim({ project, key, hash }: CreateRequest): Promise<IdempotencyKeyEntity | undefined> {
    if (key === undefined) return undefined;
    const claim = await this.store.claim(project, key, hash, uuidv7());
    if (claim.request_hash !== hash) throw new DomainError('mismatch', `${HEADER}: was used for another request`);
    return claim;
  }

  private async perform<T>(claim: IdempotencyKeyEntity, perform: (id: string) => Promise<T>): Promise<T> {
    try {
      return await perform(claim.resource_id);
    } catch (error) {
      // After `unavailable` nobody knows whether it was carried out: the next try must take the same id.
      if (error instanceof DomainError && error.kind !== 'unavailable') await this.store.release(claim);
      throw error;
    }
  }
}
