import type { DataSource } from 'typeorm';

const DAY_MS = 86_400_000;
const DAYS_AHEAD = 3;

const isoDay = (time: number) => new Date(time).toISOString().slice(0, 10);

/** Makes the journal's partitions for today and the next days (UTC); safe to repeat and in several replicas. */
export async function ensurePartitions(dataSource: DataSource, now: number = Date.now()): Promise<void> {
  for (let ahead = 0; ahead <= DAYS_AHEAD; ahead++) {
    const from = isoDay(now + ahead * DAY_MS);
    const to = isoDay(now + (ahead + 1) * DAY_MS);
    const name = `journal_${from.replaceAll('-', '')}`;
    await dataSource.transaction(async (manager) => {
      await manager.query(`SELECT pg_advisory_xact_lock(hashtext('journal_partitions'))`);
      const [row] = await manager.query<{ missing: boolean }[]>(`SELECT to_regclass($1) IS NULL AS missing`, [name]);
      if (!row?.missing) return;
      await manager.query(`CREATE TABLE ${name} (LIKE journal INCLUDING DEFAULTS)`);
      // What had to land in the default partition moves over; the new one could not be attached otherwise.
      await manager.query(
        `WITH moved AS (DELETE FROM journal_default WHERE day >= $1::date AND day < $2::date RETURNING *) INSERT INTO ${name} SELECT * FROM moved`,
        [from, to],
      );
      await manager.query(`ALTER TABLE journal ATTACH PARTITION ${name} FOR VALUES FROM ('${from}') TO ('${to}')`);
    });
  }
}
