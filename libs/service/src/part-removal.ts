import type { OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import type { DataSource } from 'typeorm';
import type { Logger } from './logger.js';
import { Loop } from './loop.js';

const EVERY_MS = 60_000;
/** Breath between two pages, which the work at hand needs more. */
const BREATH_MS = 50;

const PARTS_AT_ONCE = 2_000;

/** Parts, and those whose parts have to go; tables and columns as SQL names them. */
export interface Parts {
  /** Tables of the parts, each with the columns by which an index has those of one in order. */
  parts: readonly { table: string; order: string }[];
  /** Table of those whose parts are to be deleted, page by page; they themselves may be gone. */
  removals: string;
  /** The column of parts and removals that has its id. */
  key: string;
}

/** Deletes the parts of what was given up, in pages; any number of replicas share the work. */
export class PartRemoval implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly loop: Loop;

  constructor(
    private readonly removed: Parts,
    protected readonly dataSource: DataSource,
    protected readonly logger: Logger,
  ) {
    this.loop = new Loop(removed.removals, EVERY_MS, () => this.step(), logger);
  }

  onApplicationBootstrap(): void {
    this.loop.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.loop.stop();
  }

  /** @returns whether there may be more to delete. */
  async step(): Promise<boolean> {
    const deleted = await this.deletePage();
    if (deleted === undefined) return false;
    await delay(BREATH_MS);
    return true;
  }

  /** Deletes a page of the parts of one that no other replica is at. @returns how many, or undefined when there is none left. */
  async deletePage(): Promise<number | undefined> {
    const { parts, removals, key } = this.removed;
    return this.dataSource.transaction(async (manager) => {
      const [removal] = await manager.query<{ project_id: string; id: string }[]>(
        `SELECT project_id, ${key} AS id FROM ${removals} ORDER BY project_id, ${key} LIMIT 1 FOR UPDATE SKIP LOCKED`,
      );
      if (!removal) return undefined;
      const which = [removal.project_id, removal.id];
      let deleted = 0;
      for (const { table, order } of parts) {
        const [, count] = await manager.query<[unknown[], number]>(
          `DELETE FROM ${table} WHERE project_id = $1 AND id = ANY (ARRAY(
             SELECT id FROM ${table} WHERE project_id = $1 AND ${key} = $2 ORDER BY ${order} LIMIT ${PARTS_AT_ONCE - deleted}))`,
          which,
        );
        deleted += count;
        if (deleted === PARTS_AT_ONCE) return deleted;
      }
      await manager.query(`DELETE FROM ${removals} WHERE project_id = $1 AND ${key} = $2`, which);
      return deleted;
    });
  }
}
