import { Injectable } from '@nestjs/common';
import type { Principal } from '../auth/principal.js';
import { hashOf } from './token.secret.js';
import { TokenStore } from './token.store.js';

/** How long another replica may still let a revoked token in. */
const KEEP_MS = 5_000;
const MAX_KEPT = 10_000;

interface Entry {
  until: number;
  found: Promise<{ principal: Principal; expiresAt: number } | undefined>;
}

/** Finds whom a secret stands for, and remembers it for a moment so that a hot client does not cost a statement each time. */
@Injectable()
export class TokenCache {
  private readonly entries = new Map<string, Entry>();

  constructor(private readonly store: TokenStore) {}

  /** Nobody when the token is unknown, expired or revoked. Only its hash is looked up, so the time it takes tells nothing of a secret. */
  async find(secret: string): Promise<Principal | undefined> {
    const hash = hashOf(secret);
    const kept = this.entries.get(hash);
    const found = kept && kept.until > Date.now() ? kept.found : this.lookUp(hash);
    const token = await found;
    return token && token.expiresAt > Date.now() ? token.principal : undefined;
  }

  /** Forgets a token that was just changed here. */
  forget(secretHash: string): void {
    this.entries.delete(secretHash);
  }

  private lookUp(hash: string): Entry['found'] {
    const found = this.read(hash);
    this.entries.delete(hash);
    this.entries.set(hash, { until: Date.now() + KEEP_MS, found });
    if (this.entries.size > MAX_KEPT) this.entries.delete(this.entries.keys().next().value!);
    // A database that was away for one request must not shut everybody out for the next ones.
    found.catch(() => this.entries.delete(hash));
    return found;
  }

  private async read(hash: string): Entry['found'] {
    const row = await this.store.findBySecret(hash);
    if (!row) return undefined;
    return {
      expiresAt: row.expires_at?.getTime() ?? Infinity,
      principal: {
        project: row.project,
        projectUuid: row.project_uuid,
        role: row.role,
        installation: row.installation,
        actorId: row.actor_id,
        actorNumber: row.actor_number,
        timezone: row.timezone,
      },
    };
  }
}
