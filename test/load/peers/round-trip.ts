import pg from 'pg';
import { Worker } from 'node:worker_threads';
import type { Stack } from '../../harness/stack.ts';
import { ask } from '../workers/ask.ts';

const START_MS = 10_000;
const SUBJECT = 'bench.question';

/**
 * The least that a command takes: one request and its answer over the bus, and two commits of a row, one after the other.
 * @returns milliseconds of each, without those that warm up.
 */
export async function roundTrips(stack: Stack, warmUp: number, count: number): Promise<number[]> {
  const responder = new Worker(new URL('../workers/respond.ts', import.meta.url));
  const { nats, postgres } = await stack.file();
  const db = new pg.Client({ connectionString: postgres.url });
  await db.connect();
  const connection = await stack.nats();
  try {
    await ask(responder, { url: nats.url, creds: await stack.administratorCreds(), subject: SUBJECT }, START_MS);
    await db.query('CREATE TABLE bench_commit (id uuid PRIMARY KEY, at timestamptz NOT NULL)');
    const commit = () =>
      db.query({ name: 'commit', text: 'INSERT INTO bench_commit VALUES (gen_random_uuid(), clock_timestamp())' });
    const times: number[] = [];
    for (let done = 0; done < warmUp + count; done++) {
      const began = performance.now();
      await connection.request(SUBJECT, '{}', { timeout: START_MS });
      await commit();
      await commit();
      if (done >= warmUp) times.push(performance.now() - began);
    }
    await db.query('DROP TABLE bench_commit');
    return times;
  } finally {
    await db.end();
    await responder.terminate();
  }
}
