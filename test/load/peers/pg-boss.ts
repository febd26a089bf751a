import { PgBoss } from 'pg-boss';

const BATCH = 500;
const QUEUE = 'bench';
const SCHEMA = 'bench_pg_boss';

/**
 * pg-boss on the given database: inserts, fetches and completes so many empty jobs, 500 at a time.
 * @returns jobs a second.
 */
export async function pgBossRate(databaseUrl: string, jobs: number): Promise<number> {
  const boss = new PgBoss({ connectionString: databaseUrl, schema: SCHEMA, supervise: false, schedule: false });
  let failure: Error | undefined;
  boss.on('error', (error: Error) => (failure = error));
  await boss.start();
  try {
    await boss.createQueue(QUEUE);
    const began = performance.now();
    for (let at = 0; at < jobs; at += BATCH) {
      await boss.insert(
        QUEUE,
        Array.from({ length: Math.min(BATCH, jobs - at) }, () => ({})),
      );
    }
    let done = 0;
    while (done < jobs) {
      const fetched = await boss.fetch(QUEUE, { batchSize: BATCH });
      if (fetched.length === 0) throw new Error(`pg-boss gave ${done} of ${jobs} jobs`);
      await boss.complete(
        QUEUE,
        fetched.map(({ id }) => id),
      );
      done += fetched.length;
    }
    const seconds = (performance.now() - began) / 1000;
    if (failure) throw failure;
    return jobs / seconds;
  } finally {
    await boss.stop({ graceful: false });
  }
}
