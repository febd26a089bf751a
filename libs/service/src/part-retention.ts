import type { OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import type { DataSource } from 'typeorm';
import type { ServiceConfig } from './config.js';
import type { Logger } from './logger.js';
import { Loop } from './loop.js';

const EVERY_MS = 60_000;
/** Breath between two pages, which the work at hand needs more. */
const BREATH_MS = 50;
const DAY_MS = 86_400_000;

const WHOLES_AT_ONCE = 100;
const PARTS_AT_ONCE = 2_000;

/** What consists of many parts that are not kept as long as itself; tables and columns as SQL names them. */
export interface Whole {
  /** Its table, e.g. `job`. */
  table: string;
  /** SQL: those that have ended and still have their parts, as the index on them says it. */
  finished: string;
  /** SQL: the assignments by which one has no parts for its readers from here on. */
  giveUp: string;
  /** Table of the parts. */
  parts: string;
  /** Table of those whose parts are to be deleted, page by page; they themselves may be gone. */
  removals: string;
  /** The column of parts and removals that has its id. */
  key: string;
  /** The column by which an index has the parts of one in order. */
  order: string;
}

/** Deletes the parts of what ended long ago, in pages; any number of replicas share the work. */
export class PartRetention implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly loop: Loop;

  constructor(
    private readonly whole: Whole,
    private readonly dataSource: DataSource,
    private readonly config: Pick<ServiceConfig, 'historyDays'>,
    private readonly logger: Logger,
  ) {
    this.loop = new Loop(`${whole.parts} retention`, EVERY_MS, () => this.step(), logger);
  }

  onApplicationBootstrap(): void {
    this.loop.start();
  }

  onApplicationShutdown(): Promise<void> {
    return this.loop.stop();
  }

  /** @returns whether there may be more to delete. */
  async step(now: number = Date.now()): Promise<boolean> {
    const given = await this.giveUp(new Date(now - this.config.historyDays * DAY_MS));
    if (given > 0) {
      const { table, parts } = this.whole;
      this.logger.info({ [table]: given, parts }, 'the parts of what ended long ago are being deleted');
    }
    const deleted = await this.deletePage();
    if (deleted === undefined) return given > 0;
    await delay(BREATH_MS);
    return true;
  }

  /** Has the parts deleted of some that ended before `before`. @returns of how many. */
  async giveUp(before: Date): Promise<number> {
    const { table, finished, giveUp, removals, key } = this.whole;
    const [row] = await this.dataSource.query<{ n: number }[]>(
      `WITH due AS MATERIALIZED (
         SELECT project_id, id FROM ${table}
         WHERE ${finished} AND state_at < $1
         ORDER BY state_at LIMIT ${WHOLES_AT_ONCE} FOR UPDATE SKIP LOCKED
       ), marked AS (
         UPDATE ${table} t SET ${giveUp} FROM due
         WHERE t.project_id = due.project_id AND t.id = due.id
         RETURNING t.project_id, t.id
       ), queued AS (
         INSERT INTO ${removals} (project_id, ${key}) SELECT project_id, id FROM marked ON CONFLICT DO NOTHING
       )
       SELECT count(*)::integer AS n FROM marked`,
      [before],
    );
    return row!.n;
  }

  /** Deletes a page of the parts of one that no other replica is at. @returns how many, or undefined when there is none left. */
  async deletePage(): Promise<number | undefined> {
    const { parts, removals, key, order } = this.whole;
    return this.dataSource.transaction(async (manager) => {
      const [removal] = await manager.query<{ project_id: string; id: string }[]>(
        `SELECT project_id, ${key} AS id FROM ${removals} ORDER BY project_id, ${key} LIMIT 1 FOR UPDATE SKIP LOCKED`,
      );
      if (!removal) return undefined;
      const which = [removal.project_id, removal.id];
      const [, count] = await manager.query<[unknown[], number]>(
        `DELETE FROM ${parts} WHERE project_id = $1 AND id = ANY (ARRAY(
           SELECT id FROM ${parts} WHERE project_id = $1 AND ${key} = $2 ORDER BY ${order} LIMIT ${PARTS_AT_ONCE}))`,
        which,
      );
      if (count < PARTS_AT_ONCE)
        await manager.query(`DELETE FROM ${removals} WHERE project_id = $1 AND ${key} = $2`, which);
      return count;
    });
  }
}
