import type { DeviceLock } from '@muster/contracts';
import { batch, type Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { IS_LOCKED } from '../lanes/lane.store.js';

/** A device of a project. */
export interface LockedDevice {
  project_id: string;
  device_id: string;
}

const LOCK = `device_id, lock_owner AS owner, lock_fence AS fence, lock_reason AS reason, lock_expires_at AS expires_at`;

type Row = Omit<DeviceLock, 'expires_at'> & { expires_at: Date };
const toLock = ({ expires_at, ...lock }: Row): DeviceLock => ({ ...lock, expires_at: expires_at.toISOString() });

/** The statements on the locks of devices, which stand in their lanes. The lanes must be locked by the transaction. */
@Injectable()
export class LockStore {
  constructor(private readonly dataSource: DataSource) {}

  /** Locks those devices that nobody else holds; a lock that `owner` holds already keeps its fence. */
  async take(tx: Tx, deviceIds: readonly string[], owner: string, reason: string, seconds: number): Promise<void> {
    await tx.query(
      `UPDATE lane SET lock_owner = $3, lock_reason = $4, lock_expires_at = now() + make_interval(secs => $5),
         fence = lane.fence + (NOT ${IS_LOCKED})::integer,
         lock_fence = CASE WHEN ${IS_LOCKED} THEN lane.lock_fence ELSE lane.fence + 1 END
       FROM ${batch(['$2::uuid[]'], ['device_id'])}
       WHERE lane.project_id = i.project_id AND lane.device_id = i.device_id AND (lane.lock_owner = $3 OR NOT ${IS_LOCKED})`,
      [tx.project, deviceIds, owner, reason, seconds],
    );
  }

  /** Frees those devices that `owner` holds; gives them. */
  async release(tx: Tx, deviceIds: readonly string[], owner: string): Promise<string[]> {
    return this.clear(tx, deviceIds, `AND lane.lock_owner = $3`, [owner]);
  }

  /** Frees those devices whose lock has expired; gives them. */
  async expire(tx: Tx, deviceIds: readonly string[]): Promise<string[]> {
    return this.clear(tx, deviceIds, `AND lane.lock_expires_at <= now()`, []);
  }

  /** Devices whose lock has expired, of every project. */
  async expired(limit: number): Promise<LockedDevice[]> {
    return this.dataSource.query<LockedDevice[]>(
      `SELECT project_id, device_id FROM lane WHERE lock_expires_at <= now() ORDER BY lock_expires_at LIMIT $1`,
      [limit],
    );
  }

  /** The locks on these devices, within a transaction that has their lanes. */
  async of(tx: Tx, deviceIds: readonly string[]): Promise<DeviceLock[]> {
    const rows = await tx.query<Row>(
      `SELECT ${LOCK} FROM lane JOIN ${batch(['$2::uuid[]'], ['device_id'])} USING (project_id, device_id) WHERE ${IS_LOCKED} ORDER BY device_id`,
      [tx.project, deviceIds],
    );
    return rows.map(toLock);
  }

  /** The locks on these devices as they are now. */
  async held(project: string, deviceIds: readonly string[]): Promise<DeviceLock[]> {
    const rows = await this.dataSource.query<Row[]>(
      `SELECT ${LOCK} FROM lane JOIN ${batch(['$2::uuid[]'], ['device_id'])} USING (project_id, device_id) WHERE ${IS_LOCKED} ORDER BY device_id`,
      [project, deviceIds],
    );
    return rows.map(toLock);
  }

  /** Commands in the queues of these devices whose lock is not held, or not by their owner. */
  async lost(tx: Tx, deviceIds: readonly string[]): Promise<string[]> {
    const rows = await tx.query<{ id: string }>(
      `SELECT own.id FROM ${batch(['$2::uuid[]'], ['device_id'])} JOIN lane USING (project_id, device_id) CROSS JOIN LATERAL (
         SELECT command.id FROM command
         WHERE command.project_id = lane.project_id AND command.device_id = lane.device_id AND command.lock_owner IS NOT NULL AND command.state = 'QUEUED'
           AND NOT (${IS_LOCKED} AND command.lock_owner = lane.lock_owner)
       ) own`,
      [tx.project, deviceIds],
    );
    return rows.map((row) => row.id);
  }

  private async clear(tx: Tx, deviceIds: readonly string[], which: string, values: unknown[]): Promise<string[]> {
    const rows = await tx.query<{ device_id: string }>(
      `UPDATE lane SET lock_owner = NULL, lock_fence = NULL, lock_reason = '', lock_expires_at = NULL
       FROM ${batch(['$2::uuid[]'], ['device_id'])}
       WHERE lane.project_id = i.project_id AND lane.device_id = i.device_id ${which} RETURNING lane.device_id`,
      [tx.project, deviceIds, ...values],
    );
    return rows.map((row) => row.device_id);
  }
}
