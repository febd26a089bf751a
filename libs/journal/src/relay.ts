import { eventStream, eventSubject, toCloudEvent, type ServiceName, type Transition } from '@muster/contracts';
import { sessionLimits } from '@muster/persistence';
import type { NatsConnection } from 'nats';
import pg from 'pg';
import { DeadLetterStore, type DeadLetter } from './dead-letters.js';
import { wakeChannel } from './journal.js';
import { EventPublisher, fits, publishWork, type OutgoingEvent, type OutgoingWork } from './publisher.js';
import type { JournalWork } from './tx.js';

const ROWS_PER_PASS = 32;
const SLOW_POLL_MS = 2_000;
const ELECTION_MS = 1_000;
const BACK_OFF_MS = { first: 100, most: 5_000 };

export interface RelayOptions {
  service: ServiceName;
  schema: string;
  /** Database URL of the service's own role; the relay keeps a session of its own there, for its lock and its wake-ups. */
  databaseUrl: string;
  connection: NatsConnection;
  /** Makes the streams that are missing; called at the start and after a publish that found none. */
  ensureStreams: () => Promise<void>;
  onPublished?: (events: number, work: number) => void;
  /** Told of a message that the bus cannot carry, once it is kept as a dead letter. */
  onParked?: (letter: DeadLetter) => void;
  onError?: (error: unknown) => void;
  /** Called between the steps of a pass; a test throws here. */
  fault?: (point: 'before_publish' | 'before_mark' | 'after_mark') => void;
}

interface JournalRow {
  seq: string;
  day: string;
  project_id: string;
  transitions: Transition[];
  work: JournalWork[];
  traceparent: string | null;
}

/**
 * Publishes the journal in order: one message an event, work batches as they are. Of all replicas one is active, elected by an advisory
 * lock that its database session holds, so a dead one is replaced as soon as its session ends. Rows are marked after the
 * acknowledgement; a crash in between publishes them again, and every consumer knows what it has seen. A message larger than the bus
 * carries would stop all behind it for ever: it becomes a dead letter.
 */
export class Relay {
  private stopped = false;
  private running: Promise<void> | undefined;
  private wake: (() => void) | undefined;
  /** Rows of the last pass whose events are in the stream, so that work which did not go does not send them again. */
  private told = new Set<string>();
  private readonly publisher: EventPublisher;

  constructor(private readonly options: RelayOptions) {
    this.publisher = new EventPublisher(options.connection, eventStream(options.service));
  }

  start(): void {
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.wake?.();
    await this.running;
  }

  private async run(): Promise<void> {
    let backOff = BACK_OFF_MS.first;
    while (!this.stopped) {
      try {
        await this.lead(() => (backOff = BACK_OFF_MS.first));
      } catch (error) {
        this.options.onError?.(error);
        await this.sleep(backOff);
        backOff = Math.min(backOff * 2, BACK_OFF_MS.most);
      }
    }
  }

  /** One database session: waits to be elected, then relays until it is stopped or the session breaks. */
  private async lead(onProgress: () => void): Promise<void> {
    const session = new pg.Client({
      connectionString: this.options.databaseUrl,
      application_name: `${this.options.schema} relay`,
      ...sessionLimits,
    });
    let broken: Error | undefined;
    session.on('error', (error) => {
      broken = error;
      this.wake?.();
    });
    session.on('notification', () => this.wake?.());
    await session.connect();
    try {
      // The server, too, must find out that this end is gone: until then it keeps the lock for it.
      await session.query(
        'SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3',
      );
      while (!this.stopped && !(await this.elect(session))) {
        await this.sleep(ELECTION_MS);
        if (broken) throw broken;
      }
      await session.query(`LISTEN ${session.escapeIdentifier(wakeChannel(this.options.schema))}`);
      await this.options.ensureStreams();
      while (!this.stopped) {
        const woken = this.nextWake();
        if (await this.pass(session)) onProgress();
        else await woken(SLOW_POLL_MS);
        if (broken) throw broken;
      }
    } finally {
      await session.end().catch(() => undefined);
    }
  }

  private async elect(session: pg.Client): Promise<boolean> {
    const { rows } = await session.query<{ elected: boolean }>('SELECT pg_try_advisory_lock(hashtext($1)) AS elected', [
      `relay ${this.options.schema}`,
    ]);
    return rows[0]?.elected ?? false;
  }

  private async pass(session: pg.Client): Promise<boolean> {
    const { rows } = await session.query<JournalRow>({
      name: 'read',
      text: `SELECT seq, day::text, project_id, transitions, work, traceparent FROM journal WHERE NOT published ORDER BY seq LIMIT ${ROWS_PER_PASS}`,
    });
    if (rows.length === 0) return false;
    this.options.fault?.('before_publish');
    const { events, work, letters } = await this.publish(rows);
    this.options.fault?.('before_mark');
    if (letters.length === 0) {
      await mark(session, rows);
    } else {
      await session.query('BEGIN');
      const deadLetters = new DeadLetterStore({ query: (sql, parameters) => session.query(sql, parameters) });
      for (const letter of letters) await deadLetters.park(letter);
      await mark(session, rows);
      await session.query('COMMIT');
    }
    this.options.fault?.('after_mark');
    for (const letter of letters) this.options.onParked?.(letter);
    this.options.onPublished?.(events, work);
    return true;
  }

  private async publish(rows: readonly JournalRow[]): Promise<{ events: number; work: number; letters: DeadLetter[] }> {
    const { service, schema, connection } = this.options;
    const events: OutgoingEvent[] = [];
    const work: OutgoingWork[] = [];
    const letters: DeadLetter[] = [];
    for (const row of rows) {
      for (const event of eventsOf(service, row)) {
        if (!fits(connection, event)) letters.push(tooLarge(event));
        else if (!this.told.has(row.seq)) events.push(event);
      }
      for (const message of workOf(schema, row)) {
        if (fits(connection, message)) work.push(message);
        else letters.push(tooLarge(message));
      }
    }
    const [told, ...asked] = await Promise.allSettled([
      this.publisher.publish(events),
      ...work.map((message) => publishWork(connection, message)),
    ]);
    if (told.status === 'fulfilled') this.told = new Set(rows.map((row) => row.seq));
    for (const outcome of [told, ...asked]) {
      if (outcome.status === 'fulfilled') continue;
      await this.options.ensureStreams();
      throw outcome.reason;
    }
    return { events: events.length, work: work.length, letters };
  }

  /** Arms the wake-up before the journal is read, so that a row written in between is not slept over. */
  private nextWake(): (timeoutMs: number) => Promise<void> {
    let woken!: () => void;
    const signal = new Promise<void>((resolve) => (woken = resolve));
    this.wake = woken;
    return async (timeoutMs) => {
      const timer = setTimeout(woken, timeoutMs);
      await signal;
      clearTimeout(timer);
    };
  }

  private async sleep(ms: number): Promise<void> {
    if (!this.stopped) await this.nextWake()(ms);
  }
}

async function mark(session: pg.Client, rows: readonly JournalRow[]): Promise<void> {
  await session.query({
    name: 'mark',
    text: `UPDATE journal SET published = true FROM unnest($1::date[], $2::bigint[]) AS done(day, seq)
           WHERE journal.day = done.day AND journal.seq = done.seq`,
    values: [rows.map((row) => row.day), rows.map((row) => row.seq)],
  });
}

/** The events of one journal row, as they go out. */
export function eventsOf(service: ServiceName, row: Pick<JournalRow, 'project_id' | 'transitions'>): OutgoingEvent[] {
  return row.transitions.map((transition) => ({
    subject: eventSubject(row.project_id, transition.entity, transition.to, transition.id),
    id: `${transition.id}.${transition.version}`,
    body: toCloudEvent(service, row.project_id, transition),
  }));
}

function workOf(schema: string, row: JournalRow): OutgoingWork[] {
  return row.work.map((message, index) => ({
    subject: message.subject,
    id: `${schema}.${row.seq}.${index}`,
    body: JSON.stringify({ project_id: row.project_id, head: message.head, items: message.items }),
    traceparent: message.traceparent ?? row.traceparent ?? undefined,
  }));
}

function tooLarge(message: OutgoingEvent | OutgoingWork): DeadLetter {
  const payload = Buffer.from(message.body);
  const traceparent = 'traceparent' in message ? message.traceparent : undefined;
  return {
    subject: message.subject,
    headers: { 'Nats-Msg-Id': message.id, ...(traceparent ? { traceparent } : {}) },
    payload,
    reason: `larger than the bus carries: ${payload.length} bytes`,
    deliveries: 0,
  };
}
