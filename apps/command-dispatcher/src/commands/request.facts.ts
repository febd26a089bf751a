import type { Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { Terms } from './terms.js';

/** What the commands of one request share; it never changes. */
export interface SharedRequest {
  command: string;
  args: Record<string, unknown>;
  reply_to: string;
  terms: Terms;
  by_user: boolean;
}

const KEPT_BYTES = 16 * 1024 * 1024;
/** A request may be deleted with its last command; what is kept of it goes soon after. */
const KEPT_MS = 600_000;
/** What an entry takes beside its texts. */
const ENTRY_BYTES = 1024;

/** What is known of requests. They are asked for with every batch of commands, so what was committed is kept for a while. */
@Injectable()
export class RequestFacts {
  private readonly kept = new LRUCache<string, SharedRequest>({
    maxSize: KEPT_BYTES,
    ttl: KEPT_MS,
    sizeCalculation: ({ args, terms }) => ENTRY_BYTES + 2 * JSON.stringify([args, terms]).length,
  });
  /** What a transaction has seen or made itself, which nobody else may rely on before it commits. */
  private readonly seen = new WeakMap<Tx, Map<string, SharedRequest>>();

  /** Those of the requests that exist. */
  async of(tx: Tx, ids: Iterable<string>): Promise<Map<string, SharedRequest>> {
    const facts = new Map<string, SharedRequest>();
    const missing: string[] = [];
    for (const id of new Set(ids)) {
      const known = this.seen.get(tx)?.get(id) ?? this.kept.get(keyOf(tx, id));
      if (known) facts.set(id, known);
      else missing.push(id);
    }
    if (missing.length === 0) return facts;
    const rows = await tx.query<SharedRequest & { id: string }>(
      `SELECT id, command, args, reply_to, terms, by_user FROM command_request WHERE project_id = $1 AND id = ANY($2)`,
      [tx.project, missing],
    );
    for (const { id, ...request } of rows) {
      facts.set(id, request);
      this.note(tx, id, request);
    }
    return facts;
  }

  /** Notes what the transaction has made or read of a request. */
  note(tx: Tx, id: string, request: SharedRequest): void {
    const seen = this.seen.get(tx) ?? new Map<string, SharedRequest>();
    this.seen.set(tx, seen);
    if (seen.has(id)) return;
    seen.set(id, request);
    tx.afterCommit(() => {
      if (!this.kept.has(keyOf(tx, id))) this.kept.set(keyOf(tx, id), request);
    });
  }
}

const keyOf = (tx: Tx, id: string) => `${tx.project} ${id}`;
