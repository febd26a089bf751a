import { sessionLimits } from '@muster/persistence';
import pg from 'pg';
import { setTimeout as delay } from 'node:timers/promises';
import { wakeChannel } from './journal.js';
import { TELL_AGAIN } from './relay.js';
import { RelayStore } from './relay.store.js';

const LOOK_EVERY_MS = 250;
const PATIENCE_MS = 60_000;

export interface RebuildOptions {
  /** Database URL of the service's own role. */
  databaseUrl: string;
  schema: string;
  /** The first day (UTC, `YYYY-MM-DD`) whose events are wanted; all that the journal has, when absent. */
  since?: string | undefined;
  /** `done` of `total`, in events; the total is an estimate. */
  onProgress?: (done: number, total: number) => void;
  /** How long nothing may happen before it is given up. */
  patienceMs?: number;
}

/**
 * Has the relay publish again every event that the journal still has, and waits until that is done: brings back an event stream that was
 * lost. At least once: an event that is still in the stream comes again, and with `since` some earlier ones may. What the bus cannot carry
 * is left out; it is a dead letter. It makes no difference which process the relay runs in, nor that the service is writing.
 * @returns the number of events published.
 * @throws Error when nothing was published for a minute; the relay goes on with it as soon as it can.
 */
export async function rebuild(options: RebuildOptions): Promise<number> {
  const session = new pg.Client({ connectionString: options.databaseUrl, ...sessionLimits });
  // Lost in between, it fails the next statement, which tells.
  session.on('error', () => undefined);
  await session.connect();
  try {
    const store = new RelayStore(session);
    const wanted = await store.toldSince(options.since);
    if (!wanted) return 0;
    await store.tellAgain(wanted);
    await session.query('SELECT pg_notify($1, $2)', [wakeChannel(options.schema), TELL_AGAIN]);
    return await untilTold(store, options);
  } finally {
    await session.end();
  }
}

async function untilTold(store: RelayStore, options: RebuildOptions): Promise<number> {
  const { patienceMs = PATIENCE_MS } = options;
  const first = await store.retelling();
  let last = first;
  let changed = performance.now();
  while (last.after < last.upTo) {
    await delay(LOOK_EVERY_MS);
    const now = await store.retelling();
    if (now.after !== last.after || now.upTo !== last.upTo) changed = performance.now();
    if (performance.now() - changed > patienceMs)
      throw new Error(`no event was published for ${patienceMs / 1000} s: does the bus take events?`);
    last = now;
    options.onProgress?.(last.after - first.after, last.upTo - first.after);
  }
  return last.events;
}
