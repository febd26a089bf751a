import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { dropOldPartitions, ensurePartitions } from './partitions.js';
import { doors, openDoors, type Doors } from './testing/door.js';

const DAY_MS = 86_400_000;
const NONE = { dropped: [], unpublished: [], busy: [], strayRows: 0 };

let house: Doors;

beforeAll(async () => {
  house = await doors();
});
afterAll(() => house.stop());
beforeEach(async () => {
  for (const name of await partitions()) await house.dataSource.query(`DROP TABLE ${name}`);
  await house.dataSource.query('TRUNCATE journal');
  await ensurePartitions(house.dataSource);
});

async function partitions(): Promise<string[]> {
  const rows = await house.dataSource.query<{ name: string }[]>(
    `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
     WHERE i.inhparent = 'journal'::regclass AND c.relname <> 'journal_default' ORDER BY 1`,
  );
  return rows.map((row) => row.name);
}

const nameOf = (daysFromNow: number) =>
  `journal_${new Date(Date.now() + daysFromNow * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '')}`;
const inDays = (days: number) => Date.now() + days * DAY_MS;
const write = (published: boolean, daysAgo = 0) =>
  house.dataSource.query(
    `INSERT INTO journal (project_id, transitions, work, published, day)
     VALUES ('acme', '[]', '[]', $1, (now() AT TIME ZONE 'UTC')::date - $2::integer)`,
    [published, daysAgo],
  );
const rows = async () => {
  const [row] = await house.dataSource.query<{ n: string }[]>(`SELECT count(*) AS n FROM journal`);
  return Number(row!.n);
};

describe('the partitions of a journal that is kept 8 days', () => {
  it('given a compression of the journal, then every partition has it', async () => {
    const columns = await house.dataSource.query<{ compression: string; n: string }[]>(
      `SELECT attcompression AS compression, count(*) AS n FROM pg_attribute
       WHERE attrelid IN (SELECT 'journal'::regclass UNION SELECT inhrelid FROM pg_inherits WHERE inhparent = 'journal'::regclass)
         AND attname IN ('transitions', 'work') GROUP BY 1`,
    );
    expect(columns).toEqual([
      { compression: expect.any(String) as string, n: String(2 * (2 + (await partitions()).length)) },
    ]);
  });

  it('given days that ended 8 days ago or later, then they stay; a day later the oldest goes', async () => {
    await write(true);
    expect(await dropOldPartitions(house.dataSource, 8)).toEqual(NONE);
    expect(await dropOldPartitions(house.dataSource, 8, inDays(8))).toEqual(NONE);
    expect(await rows()).toBe(1);
    expect(await dropOldPartitions(house.dataSource, 8, inDays(9))).toEqual({ ...NONE, dropped: [nameOf(0)] });
    expect(await rows()).toBe(0);
    expect(await partitions()).toEqual([nameOf(1), nameOf(2), nameOf(3)]);
  });

  it('given a row that is not published, then its partition stays until it is, and the others go', async () => {
    await write(false);
    const aged = await dropOldPartitions(house.dataSource, 8, inDays(10));
    expect(aged).toEqual({ ...NONE, dropped: [nameOf(1)], unpublished: [nameOf(0)] });
    expect(await rows()).toBe(1);
    await house.dataSource.query('UPDATE journal SET published = true');
    expect(await dropOldPartitions(house.dataSource, 8, inDays(10))).toEqual({ ...NONE, dropped: [nameOf(0)] });
  });

  it('given old rows in the default partition, then those that are published go, in pages', async () => {
    await house.dataSource.query(
      `INSERT INTO journal (project_id, transitions, work, published, day)
       SELECT 'acme', '[]', '[]', true, (now() AT TIME ZONE 'UTC')::date - 9 FROM generate_series(1, 1200)`,
    );
    await write(false, 9);
    await write(true, 8);
    expect(await dropOldPartitions(house.dataSource, 8)).toEqual({ ...NONE, strayRows: 1_200 });
    expect(await rows()).toBe(2);
  });

  it('given somebody who reads the journal for long, then nobody waits for the drop and it is left for the next time', async () => {
    // The rows that are written meanwhile are of today, and would keep it.
    await house.dataSource.query(`ALTER TABLE journal DETACH PARTITION ${nameOf(0)}`);
    await write(true, -1);
    const reader = house.dataSource.createQueryRunner();
    await reader.startTransaction();
    await reader.query('SELECT count(*) FROM journal');
    const [aged] = await Promise.all([
      dropOldPartitions(house.dataSource, 8, inDays(10)),
      openDoors(house.journal(), 3),
    ]);
    expect(aged).toEqual({ ...NONE, busy: [nameOf(1)] });
    expect(await rows()).toBe(2);
    await reader.commitTransaction();
    await reader.release();
    await house.dataSource.query(`DROP TABLE ${nameOf(0)}`);
    expect(await dropOldPartitions(house.dataSource, 8, inDays(10))).toEqual({ ...NONE, dropped: [nameOf(1)] });
  });

  it('given somebody who reads for long, then a new day waits without holding anybody up, and is made the next time', async () => {
    const reader = house.dataSource.createQueryRunner();
    await reader.startTransaction();
    await reader.query('SELECT count(*) FROM journal_default');
    const far = inDays(30);
    const [busy] = await Promise.all([ensurePartitions(house.dataSource, far), openDoors(house.journal(), 3)]);
    expect(busy).toHaveLength(4);
    await reader.commitTransaction();
    await reader.release();
    expect(await ensurePartitions(house.dataSource, far)).toEqual([]);
  });

  it('given replicas that do it at the same moment while others write, then each partition is dropped once and no row is lost', async () => {
    const journal = house.journal();
    const far = inDays(11);
    await ensurePartitions(house.dataSource, far);
    // The rows that are written meanwhile are of today.
    await house.dataSource.query(`ALTER TABLE journal DETACH PARTITION ${nameOf(0)}`);
    const [one, two] = await Promise.all([
      dropOldPartitions(house.dataSource, 8, far),
      dropOldPartitions(house.dataSource, 8, far),
      ensurePartitions(house.dataSource, far),
      ...Array.from({ length: 10 }, () => openDoors(journal, 1)),
    ]);
    // What a writer happened to hold for too long is left for the next time.
    const later = await dropOldPartitions(house.dataSource, 8, far);
    await house.dataSource.query(`DROP TABLE ${nameOf(0)}`);
    expect([...one.dropped, ...two.dropped, ...later.dropped].sort()).toEqual([nameOf(1), nameOf(2)]);
    expect(await rows()).toBe(10);
  });
});
