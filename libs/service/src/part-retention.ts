import type { DataSource } from 'typeorm';
import type { ServiceConfig } from './config.js';
import type { Logger } from './logger.js';
import { PartRemoval, type Parts } from './part-removal.js';

const DAY_MS = 86_400_000;

const WHOLES_AT_ONCE = 100;

/** What consists of many parts that are not kept as long as itself; tables and columns as SQL names them. */
export interface Whole extends Parts {
  /** Its table, e.g. `job`. */
  table: string;
  /** The column that says since when one has ended. */
  endedAt: string;
  /** SQL: those that have ended and still have their parts, as the index on them says it. */
  finished: string;
  /** SQL: the assignments by which one has no parts for its readers from here on. */
  giveUp: string;
}

/** Deletes the parts of what ended long ago, in pages; any number of replicas share the work. */
export class PartRetention extends PartRemoval {
  constructor(
    private readonly whole: Whole,
    dataSource: DataSource,
    private readonly config: Pick<ServiceConfig, 'historyDays'>,
    logger: Logger,
  ) {
    super(whole, dataSource, logger);
  }

  override async step(now: number = Date.now()): Promise<boolean> {
    const given = await this.giveUp(new Date(now - this.config.historyDays * DAY_MS));
    if (given > 0) {
      const { table, parts } = this.whole;
      const tables = parts.map((part) => part.table);
      this.logger.info({ [table]: given, parts: tables }, 'the parts of what ended long ago are being deleted');
    }
    return (await super.step()) || given > 0;
  }

  /** Has the parts deleted of some that ended before `before`. @returns of how many. */
  async giveUp(before: Date): Promise<number> {
    const { table, endedAt, finished, giveUp, removals, key } = this.whole;
    const [row] = await this.dataSource.query<{ n: number }[]>(
      `WITH due AS MATERIALIZED (
         SELECT project_id, id FROM ${table}
         WHERE ${finished} AND ${endedAt} < $1
         ORDER BY ${endedAt} LIMIT ${WHOLES_AT_ONCE} FOR UPDATE SKIP LOCKED
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
}
