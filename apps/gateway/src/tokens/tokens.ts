import { DomainError, invalidField, isTimeZone } from '@muster/contracts';
import { Injectable } from '@nestjs/common';
import type { Principal } from '../auth/principal.js';
import type { Role } from '../auth/roles.js';
import { Idempotency, type CreateRequest } from '../idempotency/idempotency.js';
import type { TokenEntity } from './token.entity.js';
import { TokenCache } from './token.cache.js';
import { hashOf, newSecret, repeatableSecret } from './token.secret.js';
import { TokenStore } from './token.store.js';

export interface TokenOrder {
  name: string;
  role: Role;
  /** Slug; the caller's own project unless told. */
  project?: string;
  /** ISO 8601; never unless told. */
  expires_at?: string;
  /** IANA name; UTC unless told. */
  timezone?: string;
}

/** A token as its makers see it: everything but the secret. */
export interface TokenDocument {
  id: string;
  name: string;
  role: Role;
  project: string;
  actor_id: string;
  actor_number: number;
  timezone: string;
  installation: boolean;
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
}

/** Makes, shows and revokes tokens: of the caller's project, or of every one for the installation's token. */
@Injectable()
export class Tokens {
  constructor(
    private readonly store: TokenStore,
    private readonly cache: TokenCache,
    private readonly idempotency: Idempotency,
  ) {}

  /** @throws DomainError `forbidden` for another's project, `invalid` for a past `expires_at` or an unknown `timezone`. */
  async issue(
    caller: Principal,
    callerSecret: string,
    request: CreateRequest,
    order: TokenOrder,
  ): Promise<TokenDocument & { token: string }> {
    const project = order.project ?? caller.project;
    if (project !== caller.project && !caller.installation) {
      throw new DomainError('forbidden', `project: the token may not issue tokens of project ${project}`);
    }
    if (order.expires_at && Date.parse(order.expires_at) <= Date.now())
      throw invalidField('expires_at', 'must be in the future');
    if (order.timezone !== undefined && !isTimeZone(order.timezone))
      throw invalidField('timezone', 'is not an IANA time zone');
    return this.idempotency.repeat(request, async (id) => {
      const token = request.key === undefined ? newSecret() : repeatableSecret(callerSecret, request.key, id);
      const { name, role, expires_at = null, timezone = 'UTC' } = order;
      const row = await this.store.insert({
        id,
        project,
        name,
        role,
        secretHash: hashOf(token),
        expiresAt: expires_at,
        timezone,
      });
      if (row.secret_hash !== hashOf(token)) {
        throw new DomainError('conflict', 'Idempotency-Key: another caller issued this token; its secret is not kept');
      }
      return { ...documentOf(row), token };
    });
  }

  async list(
    caller: Principal,
    after: string | undefined,
    limit: number,
  ): Promise<{ tokens: TokenDocument[]; next: string | null }> {
    const rows = await this.store.list(scopeOf(caller), after, limit + 1);
    const page = rows.slice(0, limit);
    return { tokens: page.map(documentOf), next: rows.length > limit ? page.at(-1)!.id : null };
  }

  /** Revoking again changes nothing. @throws DomainError `not_found`, `conflict` for the installation's own. */
  async revoke(caller: Principal, id: string): Promise<void> {
    const row = await this.store.find(id, scopeOf(caller));
    if (!row) throw new DomainError('not_found', 'no such token');
    if (row.installation && row.revoked_at === null) {
      throw new DomainError('conflict', "the installation's token is changed by MUSTER_ADMIN_TOKEN and a restart");
    }
    await this.store.revoke(id);
    this.cache.forget(row.secret_hash);
  }
}

const scopeOf = (caller: Principal) => (caller.installation ? null : caller.project);

const documentOf = (row: TokenEntity): TokenDocument => ({
  id: row.id,
  name: row.name,
  role: row.role,
  project: row.project,
  actor_id: row.actor_id,
  actor_number: row.actor_number,
  timezone: row.timezone,
  installation: row.installation,
  created_at: row.created_at.toISOString(),
  expires_at: row.expires_at?.toISOString() ?? null,
  revoked_at: row.revoked_at?.toISOString() ?? null,
});
