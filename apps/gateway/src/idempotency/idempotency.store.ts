import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { IdempotencyKeyEntity } from './idempotency-key.entity.js';

const DELETE_AT_ONCE = 1_000;

/** SQL of idempotency keys. */
@Injectable()
export class IdempotencyStore {
  constructor(private readonly dataSource: DataSource) {}

  /** Claims the key, or answers who did before. The update changes nothing; without it a row that another request is just writing stays unseen. */
  async claim(project: string, key: string, requestHash: string, resourceId: string): Promise<IdempotencyKeyEntity> {
    const rows = await this.dataSource.query<IdempotencyKeyEntity[]>(
      `INSERT INTO idempotency_key (project_id, key, request_hash, resource_id) VALUES ($1, $2, $3, $4)
       ON CONFLICT (project_id, key) DO UPDATE SET key = excluded.key
       RETURNING *`,
      [project, key, requestHash, resourceId],
    );
    return rows[0]!;
  }

  /** Keeps the answer, also when a request beside this one gave the key back meanwhile. */
  async settle(claim: IdempotencyKeyEntity, response: object): Promise<void> {
    await this.dataSource.query(
      `INSERT INTO idempotency_key (project_id, key, request_hash, resource_id, response) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (project_id, key) DO UPDATE SET response = excluded.response
         WHERE idempotency_key.resource_id = excluded.resource_id`,
      [claim.project_id, claim.key, claim.request_hash, claim.resource_id, JSON.stringify(response)],
    );
  }

  /** Gives a key back whose request was refused. */
  async release(claim: IdempotencyKeyEntity): Promise<void> {
    await this.dataSource.query(
      `DELETE FROM idempotency_key WHERE project_id = $1 AND key = $2 AND resource_id = $3 AND response IS NULL`,
      [claim.project_id, claim.key, claim.resource_id],
    );
  }

  /** Forgets some of the keys older than a day; answers whether there may be more. */
  async forgetOld(): Promise<boolean> {
    const [, count] = await this.dataSource.query<[unknown[], number]>(
      `DELETE FROM idempotency_key WHERE (project_id, key) IN (
         SELECT project_id, key FROM idempotency_key WHERE created_at < now() - interval '24 hours'
          ORDER BY created_at LIMIT ${DELETE_AT_ONCE} FOR UPDATE SKIP LOCKED)`,
    );
    return count === DELETE_AT_ONCE;
  }
}
