import { DomainError } from '@muster/contracts';
import { Injectable } from '@nestjs/common';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { TokenCache } from '../tokens/token.cache.js';
import { bearerOf, type Principal } from './principal.js';
import { mayAccess } from './roles.js';

/**
 * Lets a request in: no token or a bad one is `unauthenticated`; a role that may not, or the project of the path being another than the
 * token's, is `forbidden`. A hook and no Nest guard, because a guard would run after the body of a stranger was read and parsed.
 */
@Injectable()
export class AuthHook {
  constructor(private readonly tokens: TokenCache) {}

  guard(http: FastifyInstance): void {
    http.decorateRequest('principal', undefined);
    http.addHook('onRequest', async (request) => {
      const { access } = request.routeOptions.config;
      if (access === undefined) return;
      const principal = await this.identify(request);
      if (!mayAccess(principal.role, access)) {
        throw new DomainError('forbidden', `role ${principal.role} may not do this`);
      }
      const { project_id } = request.params as { project_id?: string };
      if (project_id !== undefined && project_id !== principal.project) {
        throw new DomainError('forbidden', `the token is not one of project ${project_id}`);
      }
      request.principal = principal;
    });
  }

  private async identify(request: FastifyRequest): Promise<Principal> {
    const secret = bearerOf(request.headers);
    if (secret === undefined) throw new DomainError('unauthenticated', 'a token is required');
    const principal = await this.tokens.find(secret);
    if (!principal) throw new DomainError('unauthenticated', 'the token is unknown, expired or revoked');
    return principal;
  }
}
