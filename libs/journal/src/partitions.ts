import { isLockTimeout } from '@muster/persistence';
import type { DataSource, EntityManager } from 'typeorm';

const DAY_MS = 86_400_000;
const DAYS_AHEAD = 3;
/** How long everybody may have to queue behind a partition that is being attached or dropped. */
const LOCK_TIMEOUT_MS = 250;
const ROWS_AT_ONCE = 500;

const isoDay = (time: number) => new Date(time).toISOString().slice(0, 10);

/**
 * Makes the journal's partitions for today and the next days (UTC); safe to repeat and in several replicas. While somebody reads the default
 * partition, a dump for instance, none can be attached: rows go there until the next attempt, and everybody but the reader goes on.
 * @returns the partitions that could not be made now.
 */
export async function ensurePartitions(dataSource: DataSource, now: number = Date.now()): Promise<string[]> {
  const busy: string[] = [];
  for (let ahead = 0; ahead <= DAYS_AHEAD; ahead++) {
    const from = isoDay(now + ahead * DAY_MS);
    const to = isoDay(now + (ahead + 1) * DAY_MS);
    const name = `journal_${from.replaceAll('-', '')}`;
    const made = await unlessBusy(dataSource, async (manager) => {
      if (await exists(manager, name)) return true;
      await manager.query(`CREATE TABLE ${name} (LIKE journal INCLUDING DEFAULTS INCLUDING COMPRESSION)`);
      await manager.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
      await manager.query(`LOCK TABLE journal_default IN ACCESS EXCLUSIVE MODE`);
      // What had to land in the default partition moves over; the new one could not be attached otherwise.
      await manager.query(
        `WITH moved AS (DELETE FROM journal_default WHERE day >= $1::date AND day < $2::date RETURNING *) INSERT INTO ${name} SELECT * FROM moved`,
        [from, to],
      );
      await manager.query(`ALTER TABLE journal ATTACH PARTITION ${name} FOR VALUES FROM ('${from}') TO ('${to}')`);
      return true;
    });
    if (!made) busy.push(name);
  }
  return busy;
}

/** What became of the partitions that are older than the journal is kept, by name. */
export interface PartitionsAged {
  dropped: string[];
  /** Not yet published in full: kept until they are. */
  unpublished: string[];
  /** In use by somebody who did not let go in time: for the next attempt. */
  busy: string[];
  /** Old rows deleted from the default partition. */
  strayRows: number;
}

/**
 * Drops the journal's partitions of days that ended more than `days` days ago, and deletes rows as old from the default partition. A row that
 * is not published stays, and the whole partition with it. A partition in use is left for the next time rather than waited for: who writes
 * would queue behind the wait. Safe to repeat and in several replicas.
 * @param now for tests; the database's clock otherwise, because that is the one which dates the rows.
 */
export async function dropOldPartitions(dataSource: DataSource, days: number, now?: number): Promise<PartitionsAged> {
  const [clock] = await dataSource.query<{ keep_from: string }[]>(
    `SELECT to_char((coalesce($1::timestamptz, now()) AT TIME ZONE 'UTC')::date - $2::integer, 'YYYYMMDD') AS keep_from`,
    [now === undefined ? null : new Date(now), days],
  );
  const oldest = `journal_${clock!.keep_from}`;
  const partitions = await dataSource.query<{ name: string }[]>(
    `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'journal'::regclass AND c.relname ~ '^journal_\\d{8}$' AND c.relname < $1 ORDER BY 1`,
    [oldest],
  );
  const aged: PartitionsAged = { dropped: [], unpublished: [], busy: [], strayRows: 0 };
  for (const { name } of partitions) {
    const outcome = await dropPartition(dataSource, name);
    if (outcome) aged[outcome].push(name);
  }
  aged.strayRows = await deleteStrayRows(dataSource, clock!.keep_from);
  return aged;
}

/** Undefined when another replica was faster. */
async function dropPartition(
  dataSource: DataSource,
  name: string,
): Promise<'dropped' | 'unpublished' | 'busy' | undefined> {
  const outcome = await unlessBusy(dataSource, async (manager) => {
    if (!(await exists(manager, name))) return 'gone';
    // Before the lock: rows of a day that is over are only ever marked as published, none comes and none goes back.
    const [row] = await manager.query<{ waits: boolean }[]>(
      `SELECT EXISTS (SELECT FROM ${name} WHERE NOT published) AS waits`,
    );
    if (row!.waits) return 'unpublished';
    await manager.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
    // The parent first, as everybody who writes or reads locks them; CONCURRENTLY is not to be had beside a default partition.
    await manager.query(`LOCK TABLE ONLY journal IN ACCESS EXCLUSIVE MODE`);
    await manager.query(`DROP TABLE ${name}`);
    return 'dropped';
  });
  return outcome === 'gone' ? undefined : (outcome ?? 'busy');
}

/** Undefined when a lock was not to be had in time: then nothing was changed. */
async function unlessBusy<T>(
  dataSource: DataSource,
  body: (manager: EntityManager) => Promise<T>,
): Promise<T | undefined> {
  try {
    return await inTurn(dataSource, body);
  } catch (error) {
    if (isLockTimeout(error)) return undefined;
    throw error;
  }
}

async function deleteStrayRows(dataSource: DataSource, keepFrom: string): Promise<number> {
  for (let total = 0; ;) {
    const [, count] = await dataSource.query<[unknown[], number]>(
      `DELETE FROM journal_default WHERE (day, seq) IN (
         SELECT day, seq FROM journal_default WHERE day < $1::date AND published
         ORDER BY day, seq LIMIT ${ROWS_AT_ONCE} FOR UPDATE SKIP LOCKED)`,
      [keepFrom],
    );
    total += count;
    if (count < ROWS_AT_ONCE) return total;
  }
}

/** One replica at a time works on the partitions of this schema. */
function inTurn<T>(dataSource: DataSource, body: (manager: EntityManager) => Promise<T>): Promise<T> {
  return dataSource.transaction(async (manager) => {
    await manager.query(`SELECT pg_advisory_xact_lock(hashtext('journal_partitions ' || current_schema()))`);
    return body(manager);
  });
}

async function exists(manager: EntityManager, name: string): Promise<boolean> {
  const [row] = await manager.query<{ exists: boolean }[]>(`SELECT to_regclass($1) IS NOT NULL AS exists`, [name]);
  return row!.exists;
}
