import { offerPostgres } from './shared-postgres.js';
import { sweepScratch } from './scratch.js';

/** Vitest's global setup: cleans up after killed runs and offers one Postgres to all test files. Answers its teardown. */
export default async function setup(): Promise<() => Promise<void>> {
  await sweepScratch();
  return offerPostgres();
}
