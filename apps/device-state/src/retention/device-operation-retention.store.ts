import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

const OPERATIONS_AT_ONCE = 100;
const PARTS_AT_ONCE = 2_000;

/** SQL: the operations that have ended and still have their device operations, as the index on them says it. */
const FINISHED = `devices_deleted_at IS NULL AND state IN ('SUCCESS', 'FAILURE', 'CANCELLED', 'TIMEOUT')`;

/** SQL of what operations no longer keep. */
@Injectable()
export class DeviceOperationRetentionStore {
  constructor(private readonly dataSource: DataSource) {}

  /**
   * Has the device operations deleted of some of the operations that ended before `before`; from here on these have none for their readers.
   * @returns how many operations.
   */
  async giveUp(before: Date): Promise<number> {
    const [row] = await this.dataSource.query<{ n: number }[]>(
      `WITH due AS MATERIALIZED (
         SELECT project_id, id FROM operation
         WHERE ${FINISHED} AND state_at < $1
         ORDER BY state_at LIMIT ${OPERATIONS_AT_ONCE} FOR UPDATE SKIP LOCKED
       ), marked AS (
         UPDATE operation SET devices_deleted_at = now() FROM due
         WHERE operation.project_id = due.project_id AND operation.id = due.id
         RETURNING operation.project_id, operation.id
       ), queued AS (
         INSERT INTO device_operation_removal (project_id, operation_id) SELECT project_id, id FROM marked ON CONFLICT DO NOTHING
       )
       SELECT count(*)::integer AS n FROM marked`,
      [before],
    );
    return row!.n;
  }

  /** Deletes a page of the device operations of an operation that no other replica is at. @returns how many, or undefined when none is left. */
  async deletePage(): Promise<number | undefined> {
    return this.dataSource.transaction(async (manager) => {
      const [removal] = await manager.query<{ project_id: string; operation_id: string }[]>(
        `SELECT project_id, operation_id FROM device_operation_removal
         ORDER BY project_id, operation_id LIMIT 1 FOR UPDATE SKIP LOCKED`,
      );
      if (!removal) return undefined;
      const key = [removal.project_id, removal.operation_id];
      const [, count] = await manager.query<[unknown[], number]>(
        `DELETE FROM device_operation WHERE project_id = $1 AND id = ANY (ARRAY(
           SELECT id FROM device_operation WHERE project_id = $1 AND operation_id = $2 ORDER BY device_id LIMIT ${PARTS_AT_ONCE}))`,
        key,
      );
      if (count < PARTS_AT_ONCE)
        await manager.query(`DELETE FROM device_operation_removal WHERE project_id = $1 AND operation_id = $2`, key);
      return count;
    });
  }
}
