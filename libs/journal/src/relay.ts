import { eventStream, type ServiceName } from '@muster/contracts';
import { sessionLimits } from '@muster/persistence';
import { Events, type NatsConnection } from 'nats';
import pg from 'pg';
import type { DeadLetter } from './dead-letters.js';
import { wakeChannel } from './journal.js';
import { findLost, holds } from './lost-events.js';
import type { OutgoingEvent } from './move.events.js';
import { eventsOf, fits, tooLarge, workOf, type JournalRow } from './outgoing.js';
import { EventPublisher, SequenceMismatch } from './publisher.js';
import { RelayStore, type Place, type Published, type Retelling, type ToldRow } from './relay.store.js';

const SLOW_POLL_MS = 2_000;
const ELECTION_MS = 1_000;
const BACK_OFF_MS = { first: 100, most: 5_000 };
/** Pages whose acknowledgement is awaited while the next one is built. */
const PAGES_ON_THEIR_WAY = 2;

/** What the wake-up says when there are rows to be told again. */
export const TELL_AGAIN = 'tell again';

export interface RelayOptions {
  service: ServiceName;
  schema: string;
  /** Database URL of the service's own role; the relay keeps a session of its own there, for its lock and its wake-ups. */
  databaseUrl: string;
  connection: NatsConnection;
  /** Makes the streams that are missing; called whenever the relay begins to lead, and so after a publish that found none. */
  ensureStreams: () => Promise<void>;
  onPublished?: (events: number, work: number) => void;
  /** Told of a message that the bus cannot carry, once it is kept as a dead letter. */
  onParked?: (letter: DeadLetter) => void;
  /** Told when the event stream was found to have lost its end; `events`: how many at most will be told again. */
  onLost?: (events: number) => void;
  onError?: (error: unknown) => void;
  /** Called between the steps of a page; a test throws here. */
  fault?: (point: 'before_publish' | 'before_mark' | 'after_mark') => void;
}

interface Page {
  rows: JournalRow[];
  /** What these rows were read from, when they are told again. */
  again: Retelling | undefined;
}

/** A page on its way to the streams. */
interface SentPage extends Page {
  /** Where each row's last event is in the stream; undefined for a row without an event that the bus carries. */
  arrived: Promise<(number | undefined)[]>;
  letters: DeadLetter[];
  /** Events of each row that the bus carries. */
  events: number[];
  work: number;
}

/**
 * Publishes the journal in order: one message an event, work batches as they are. Of all replicas one is active, elected by an advisory
 * lock that its database session holds, so a dead one is replaced as soon as its session ends. Rows are marked after the
 * acknowledgement; a crash in between publishes them again, and every consumer knows what it has seen. A message larger than the bus
 * carries would stop all behind it for ever: it becomes a dead letter.
 *
 * Each row keeps where its last event is in the stream. Whenever the stream may have changed behind the relay's back, it looks whether
 * the events are still there, and tells those that are not once more (ADR 9), taking turns with the rows that are new.
 */
export class Relay {
  private stopped = false;
  private running: Promise<void> | undefined;
  private wake: (() => void) | undefined;
  /** The stream may have lost events. */
  private suspicious = true;
  private connected = true;
  /** Somebody else may be writing to the stream: the next page goes one by one. */
  private careful = false;
  /** Rows to be told again; undefined: not known, it has to be read. A promise, so that what is asked for while it is read is not forgotten. */
  private retelling: Promise<Retelling> | undefined;
  private againNext = false;
  private lastTold = 0;
  /** Rows of a page whose events are in the stream although its work did not go, by `seq`: their events are not sent again. */
  private arrived = new Map<string, number | undefined>();
  private readonly publisher: EventPublisher;

  constructor(private readonly options: RelayOptions) {
    this.publisher = new EventPublisher(options.connection);
  }

  start(): void {
    void this.watchConnection();
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.wake?.();
    await this.running;
  }

  /** A bus that was away may have come back with less than it had. */
  private async watchConnection(): Promise<void> {
    for await (const { type } of this.options.connection.status()) {
      if (this.stopped) return;
      if (type !== Events.Disconnect && type !== Events.Reconnect) continue;
      this.connected = type === Events.Reconnect;
      this.suspicious = true;
      this.arrived.clear();
      if (this.connected) this.wake?.();
      else this.publisher.abandon(new Error('the connection to the bus ended'));
    }
  }

  /** What is asked of a bus that is away is never answered, and costs its time-out once it is back. */
  private async untilConnected(): Promise<void> {
    while (!this.connected && !this.stopped) await this.sleep(SLOW_POLL_MS);
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
    session.on('notification', ({ payload }) => {
      if (payload === TELL_AGAIN) this.retelling = undefined;
      this.wake?.();
    });
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
      await this.untilConnected();
      await this.options.ensureStreams();
      const store = new RelayStore(session);
      this.suspicious = true;
      while (!this.stopped) {
        await this.untilConnected();
        const woken = this.nextWake();
        if (this.suspicious) await this.lookAtStream(store);
        if ((await this.publishAll(store, onProgress)) && !(await woken(SLOW_POLL_MS))) this.retelling = undefined;
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

  /** Reads where the stream is, and has told again what it should have and has not. */
  private async lookAtStream(store: RelayStore): Promise<void> {
    this.suspicious = false;
    const stream = eventStream(this.options.service);
    const manager = await this.options.connection.jetstreamManager();
    const { state } = await manager.streams.info(stream);
    const lost = await findLost(
      (low, high) => store.lastPlace(low, high),
      (place: Place) => holds(manager, stream, state, place),
    );
    if (lost) {
      await store.tellAgain(lost);
      this.options.onLost?.(lost.upTo - lost.after);
    }
    this.retelling = undefined;
    this.lastTold = await store.lastTold();
    this.publisher.startAfter(state.last_seq);
  }

  /**
   * Publishes until there is nothing left, or the stream has to be looked at. While a page is on its way, the next one is sent, and the
   * one after that is being read.
   * @returns whether nothing is left that it has not been woken for.
   */
  private async publishAll(store: RelayStore, onProgress: () => void): Promise<boolean> {
    const onTheirWay: SentPage[] = [];
    let dry = false;
    try {
      let next = await this.read(store, []);
      dry = next === undefined;
      while (next || onTheirWay.length > 0) {
        // While work is refused, what is sent beside or behind it would put its events into the stream with every try, and what is
        // remembered of it would be forgotten. What was refused since the last page was sent is among those on their way: this throws.
        while (this.arrived.size > 0 && onTheirWay.length > 0) await this.settle(store, onTheirWay.shift()!);
        const mayGoOn = !this.stopped && !this.suspicious && !this.careful && this.arrived.size === 0;
        const following = next && mayGoOn ? this.read(store, [...onTheirWay, next]) : undefined;
        // Its failure is met below; until then it must not count as unhandled.
        following?.catch(() => undefined);
        if (next) onTheirWay.push(this.send(next));
        if (!next || !following || onTheirWay.length === PAGES_ON_THEIR_WAY) {
          await this.settle(store, onTheirWay.shift()!);
          onProgress();
        }
        if (following) dry = (await following) === undefined;
        next = await following;
      }
    } catch (error) {
      await Promise.allSettled(onTheirWay.map(({ arrived }) => arrived));
      if (!(error instanceof SequenceMismatch)) throw error;
      this.arrived.clear();
      this.suspicious = true;
      this.careful = true;
      return false;
    }
    return dry;
  }

  /** The next rows to publish: new ones and those to be told again in turns, so that neither holds up the other. */
  private async read(store: RelayStore, onTheirWay: readonly Page[]): Promise<Page | undefined> {
    this.againNext = !this.againNext;
    return this.againNext
      ? ((await this.readTold(store, onTheirWay)) ?? (await this.readFresh(store, onTheirWay)))
      : ((await this.readFresh(store, onTheirWay)) ?? (await this.readTold(store, onTheirWay)));
  }

  private async readFresh(store: RelayStore, onTheirWay: readonly Page[]): Promise<Page | undefined> {
    const rows = await store.fresh(onTheirWay.filter(({ again }) => !again).flatMap(seqsOf));
    return rows.length > 0 ? { rows, again: undefined } : undefined;
  }

  private async readTold(store: RelayStore, onTheirWay: readonly Page[]): Promise<Page | undefined> {
    // What is on its way is not noted yet and would be read once more. Whoever asked for more has woken the relay for it as well.
    if (!this.retelling && onTheirWay.some((page) => page.again)) return undefined;
    const known = (this.retelling ??= store.retelling());
    const again = await known;
    if (again.after === again.upTo) return undefined;
    const rows = await store.told(again);
    const last = rows.at(-1);
    if (last) {
      // A rebuild may have asked for more while this was read; then what is known is not true any more.
      if (this.retelling === known) this.retelling = Promise.resolve({ ...again, after: Number(last.told) });
      return { rows, again };
    }
    // The last of them can be gone with its day; the rest may be called told only when it has arrived.
    if (!onTheirWay.some((page) => page.again)) {
      await store.finish(again);
      this.retelling = undefined;
    }
    return undefined;
  }

  /** Sends a page; what it cannot send at once, it has sent when `arrived` is settled. */
  private send(page: Page): SentPage {
    const { service, schema, connection, fault } = this.options;
    fault?.('before_publish');
    const again = page.again !== undefined;
    const letters: DeadLetter[] = [];
    const fitting = <T extends OutgoingEvent>(messages: T[]): T[] =>
      messages.filter((message) => {
        const carried = fits(connection, message);
        // What is told again was kept as a dead letter the first time.
        if (!carried && !again) letters.push(tooLarge(message));
        return carried;
      });
    const events = page.rows.map((row) => fitting(eventsOf(service, row)));
    const work = again ? [] : page.rows.flatMap((row) => fitting(workOf(schema, row)));
    const counts = events.map(({ length }) => length);
    const arrived = this.arrivalOf(page, events).then(async (places) => {
      const asked = await Promise.allSettled(asking);
      for (const outcome of asked) {
        if (outcome.status === 'fulfilled') continue;
        this.arrived = new Map(page.rows.map(({ seq }, index) => [seq, places[index]]));
        throw outcome.reason;
      }
      return places;
    });
    const asking = work.map((message) => this.publisher.publishWork(message));
    for (const each of [arrived, ...asking]) each.catch(() => undefined);
    return { ...page, arrived, letters, events: counts, work: work.length };
  }

  private async arrivalOf(page: Page, events: OutgoingEvent[][]): Promise<(number | undefined)[]> {
    const known = this.arrived;
    this.arrived = new Map();
    // Only if all of them are here: a row that is marked before another must be before it in the stream.
    const isHere = new Set(seqsOf(page));
    const sent = [...known.keys()].every((seq) => isHere.has(seq)) ? known : new Map<string, undefined>();
    const toSend = events.flatMap((own, index) => (sent.has(page.rows[index]!.seq) ? [] : own));
    const sequenceOf = await (this.careful ? this.publisher.publishOneByOne(toSend) : this.publisher.publish(toSend));
    let count = 0;
    return events.map((own, index) => {
      const { seq } = page.rows[index]!;
      if (sent.has(seq)) return sent.get(seq);
      count += own.length;
      return own.length > 0 ? sequenceOf(count - 1) : undefined;
    });
  }

  /** Waits until a page has arrived, and marks it. */
  private async settle(store: RelayStore, { rows, again, arrived, letters, events, work }: SentPage): Promise<void> {
    const sequences = await arrived;
    this.options.fault?.('before_mark');
    const published: Published[] = rows.map(({ day, seq }) => ({ day, seq, place: null }));
    const inStreamOrder = [...rows.keys()]
      .filter((index) => sequences[index] !== undefined)
      .sort((a, b) => sequences[a]! - sequences[b]!);
    let told = this.lastTold;
    for (const index of inStreamOrder) {
      told += events[index]!;
      published[index]!.place = { told, streamSeq: sequences[index]! };
    }
    const count = events.reduce((sum, own) => sum + own, 0);
    if (again) await store.markAgain(published, count, again, Number((rows as ToldRow[]).at(-1)!.told));
    else await store.mark(published, letters);
    this.lastTold = told;
    this.careful = false;
    this.options.fault?.('after_mark');
    for (const letter of letters) this.options.onParked?.(letter);
    this.options.onPublished?.(count, work);
  }

  /** Arms the wake-up before the journal is read, so that a row written in between is not slept over. */
  private nextWake(): (timeoutMs: number) => Promise<boolean> {
    let woken!: (byTime: boolean) => void;
    const signal = new Promise<boolean>((resolve) => (woken = resolve));
    this.wake = () => woken(true);
    return async (timeoutMs) => {
      const timer = setTimeout(() => woken(false), timeoutMs);
      const called = await signal;
      clearTimeout(timer);
      return called;
    };
  }

  private async sleep(ms: number): Promise<void> {
    if (!this.stopped) await this.nextWake()(ms);
  }
}

const seqsOf = ({ rows }: Page): string[] => rows.map(({ seq }) => seq);
