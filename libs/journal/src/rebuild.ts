import type { ServiceName, Transition } from '@muster/contracts';
import type { NatsConnection } from 'nats';
import type { DataSource } from 'typeorm';
import { fits, RUN_LENGTH } from './publisher.js';
import { eventsOf } from './relay.js';

const ROWS_PER_PAGE = 50;

/**
 * Publishes again every event that the journal still has, in its order: brings back an event stream that was lost. At least once: an event
 * that is still in the stream comes again, for the relay publishes without ids. What the bus cannot carry is left out; it is a dead letter.
 * Run it while the service's relay has nothing to do or is stopped.
 * @returns the number of events published.
 */
export async function rebuildEvents(options: {
  service: ServiceName;
  dataSource: DataSource;
  connection: NatsConnection;
}): Promise<number> {
  const jetstream = options.connection.jetstream();
  let published = 0;
  let after = '0';
  for (;;) {
    const rows = await options.dataSource.query<{ seq: string; project_id: string; transitions: Transition[] }[]>(
      `SELECT seq, project_id, transitions FROM journal WHERE published AND seq > $1 ORDER BY seq LIMIT ${ROWS_PER_PAGE}`,
      [after],
    );
    const last = rows.at(-1);
    if (!last) return published;
    const events = rows
      .flatMap((row) => eventsOf(options.service, row))
      .filter((event) => fits(options.connection, event));
    for (let at = 0; at < events.length; at += RUN_LENGTH) {
      const run = events.slice(at, at + RUN_LENGTH);
      await Promise.all(run.map((event) => jetstream.publish(event.subject, event.body, { msgID: event.id })));
    }
    published += events.length;
    after = last.seq;
  }
}
