import type { Revocations } from '@muster/bus-auth';
import type { Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { CredentialEntity } from './credential.entity.js';

/** Credentials to be. `seconds`: how long they open the bus. */
export interface NewCredentialRow {
  id: string;
  device_id: string;
  public_key: string;
  seconds: number;
  created_by: string;
}

/** The SQL of credentials: one method a statement. */
@Injectable()
export class CredentialStore {
  constructor(private readonly dataSource: DataSource) {}

  /** Changes of a device's credentials take turns. Says whether there is such a device. */
  async lockDevice(tx: Tx, device_id: string): Promise<boolean> {
    const rows = await tx.query(`SELECT FROM device WHERE project_id = $1 AND id = $2 FOR NO KEY UPDATE`, [
      tx.project,
      device_id,
    ]);
    return rows.length > 0;
  }

  async deviceExists(project: string, device_id: string): Promise<boolean> {
    const rows = await this.dataSource.query<unknown[]>(`SELECT FROM device WHERE project_id = $1 AND id = $2`, [
      project,
      device_id,
    ]);
    return rows.length > 0;
  }

  async find(tx: Tx, device_id: string, id: string): Promise<CredentialEntity | undefined> {
    const [row] = await tx.query<CredentialEntity>(
      `SELECT * FROM device_credential WHERE project_id = $1 AND device_id = $2 AND id = $3`,
      [tx.project, device_id, id],
    );
    return row;
  }

  /** How many credentials of a device, beside one, open the bus for longer than now. */
  async countUsable(tx: Tx, device_id: string, beside: string | undefined): Promise<number> {
    const [row] = await tx.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM device_credential
       WHERE project_id = $1 AND device_id = $2 AND coalesce(revoked_at, 'infinity') > now() AND expires_at > now()
         AND id IS DISTINCT FROM $3::uuid`,
      [tx.project, device_id, beside ?? null],
    );
    return row!.count;
  }

  async insert(tx: Tx, row: NewCredentialRow): Promise<CredentialEntity> {
    const [inserted] = await tx.query<CredentialEntity>(
      `INSERT INTO device_credential (project_id, id, device_id, public_key, issued_at, expires_at, created_by)
       VALUES ($1, $2, $3, $4, now(), date_trunc('second', now()) + $5 * interval '1 second', $6) RETURNING *`,
      [tx.project, row.id, row.device_id, row.public_key, row.seconds, row.created_by],
    );
    return inserted!;
  }

  /** Revokes in so many seconds, or at the earlier time that was said before. */
  async revoke(tx: Tx, device_id: string, id: string, seconds: number): Promise<void> {
    await tx.query(
      `UPDATE device_credential SET revoked_at = least(revoked_at, now() + $4 * interval '1 second')
       WHERE project_id = $1 AND device_id = $2 AND id = $3`,
      [tx.project, device_id, id, seconds],
    );
  }

  /** In the order of their making. */
  list(project: string, device_id: string, after: string | undefined, limit: number): Promise<CredentialEntity[]> {
    return this.dataSource.query(
      `SELECT * FROM device_credential
       WHERE project_id = $1 AND device_id = $2 AND ($3::uuid IS NULL OR id > $3) ORDER BY id LIMIT $4`,
      [project, device_id, after ?? null, limit],
    );
  }

  /** Carries `step` out while no other replica does, and not at all after 5 s of waiting for one. */
  alone(step: (manager: EntityManager) => Promise<void>): Promise<void> {
    return this.dataSource.transaction(async (manager) => {
      await manager.query(`SET LOCAL lock_timeout = '5s'`);
      await manager.query(`SELECT pg_advisory_xact_lock(hashtext('bus account'), 0)`);
      await step(manager);
    });
  }

  /** The keys that must open nothing although their tokens have not expired yet, each until then. */
  async revocations(manager: EntityManager): Promise<Revocations> {
    const rows = await manager.query<{ public_key: string; until: number }[]>(
      `SELECT public_key, extract(epoch FROM expires_at)::int AS until
       FROM device_credential WHERE expires_at > now() AND revoked_at <= now()`,
    );
    return Object.fromEntries(rows.map(({ public_key, until }) => [public_key, until]));
  }

  /** Those of the keys that belong to devices' credentials. */
  async known(manager: EntityManager, keys: readonly string[]): Promise<Set<string>> {
    const rows = await manager.query<{ public_key: string }[]>(
      `SELECT public_key FROM device_credential WHERE public_key = ANY($1)`,
      [keys],
    );
    return new Set(rows.map(({ public_key }) => public_key));
  }

  /** Whether credentials became revoked in the last so many milliseconds. */
  async revokedWithin(ms: number): Promise<boolean> {
    const [row] = await this.dataSource.query<[{ revoked: boolean }]>(
      `SELECT EXISTS (SELECT FROM device_credential
                      WHERE expires_at > now() AND revoked_at <= now()
                        AND revoked_at >= now() - $1 * interval '1 millisecond') AS revoked`,
      [ms],
    );
    return row.revoked;
  }

  /** Deletes up to `limit` credentials that expired so many days ago. */
  async forget(days: number, limit: number): Promise<void> {
    await this.dataSource.query(
      `DELETE FROM device_credential WHERE public_key IN (
         SELECT public_key FROM device_credential WHERE expires_at < now() - $1 * interval '1 day'
         ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)`,
      [days, limit],
    );
  }
}
