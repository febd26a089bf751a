import type pg from 'pg';
import { DeadLetterStore, type DeadLetter } from './dead-letters.js';
import { eventIdsIn, type JournalRow } from './outgoing.js';

const ROWS_PER_PAGE = 32;
/** Of rows as Postgres stores them, compressed; a row that is larger comes alone. */
const BYTES_PER_PAGE = 1024 * 1024;

/** A row that was told before; `told`: its place in the order of publication. */
export interface ToldRow extends JournalRow {
  told: string;
}

/** Where a row's last event went. */
export interface Place {
  /** Events published until then, this row's included: rises with every row that is published. */
  told: number;
  streamSeq: number;
  /** Ids of the row's events. */
  events: string[];
}

/** The rows with `after < told <= upTo` are to be told again; none, when the two are equal. */
export interface Retelling {
  after: number;
  upTo: number;
}

/** A row that is in the stream; `place` is null when it had no event that the bus carries. */
export interface Published {
  day: string;
  seq: string;
  place: Pick<Place, 'told' | 'streamSeq'> | null;
}

const COLUMNS = 'seq, day, project_id, transitions, notices, work, traceparent, told';

// Of a page only as much as may be in memory at once. The size is that of the stored value, which needs no reading of it.
const page = (condition: string, order: 'seq' | 'told') => `
  SELECT seq, day::text, project_id, transitions, notices, work, traceparent, told FROM (
    SELECT *, sum(pg_column_size(transitions) + coalesce(pg_column_size(notices), 0) + pg_column_size(work))
                OVER (ORDER BY ${order} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM (SELECT ${COLUMNS} FROM journal WHERE ${condition} ORDER BY ${order} LIMIT ${ROWS_PER_PAGE}) rows
  ) measured
  WHERE before IS NULL OR before < ${BYTES_PER_PAGE} ORDER BY ${order}`;

const READ_FRESH = page('NOT published AND seq <> ALL($1)', 'seq');
const READ_TOLD = page('told > $1 AND told <= $2', 'told');

const MARK = `
  UPDATE journal SET published = true, told = done.told, stream_seq = done.stream_seq
  FROM unnest($1::date[], $2::bigint[], $3::bigint[], $4::bigint[]) AS done(day, seq, told, stream_seq)
  WHERE journal.day = done.day AND journal.seq = done.seq`;

/** The relay's statements, on the session that holds its lock. */
export class RelayStore {
  constructor(private readonly session: pg.ClientBase) {}

  /** The first rows that are not published, without those that are on their way. */
  async fresh(onTheirWay: readonly string[]): Promise<JournalRow[]> {
    return (await this.session.query<JournalRow>({ name: 'fresh', text: READ_FRESH, values: [onTheirWay] })).rows;
  }

  /** The next rows to be told again. */
  async told({ after, upTo }: Retelling): Promise<ToldRow[]> {
    return (await this.session.query<ToldRow>({ name: 'told', text: READ_TOLD, values: [after, upTo] })).rows;
  }

  /** Marks rows as published, and keeps what the bus does not carry. */
  async mark(rows: readonly Published[], letters: readonly DeadLetter[]): Promise<void> {
    const mark = () => this.session.query({ name: 'mark', text: MARK, values: columns(rows) });
    if (letters.length === 0) {
      await mark();
      return;
    }
    await this.session.query('BEGIN');
    const query = async (sql: string, parameters: unknown[]) =>
      (await this.session.query<Record<string, unknown>>(sql, parameters)).rows;
    const deadLetters = new DeadLetterStore({ query });
    for (const letter of letters) await deadLetters.park(letter);
    await mark();
    await this.session.query('COMMIT');
  }

  /** Marks rows as told again, and notes how far that is; not the latter when a rebuild has meanwhile asked for more. */
  async markAgain(rows: readonly Published[], events: number, from: Retelling, after: number): Promise<void> {
    await this.session.query({
      name: 'mark again',
      text: `WITH noted AS (UPDATE retelling SET after = $5, events = events + $6 WHERE after = $7 AND up_to = $8) ${MARK}`,
      values: [...columns(rows), after, events, from.after, from.upTo],
    });
  }

  /** What is to be told again now; `events`: how many of it were. */
  async retelling(): Promise<Retelling & { events: number }> {
    const { rows } = await this.session.query<Record<'after' | 'up_to' | 'events', string>>(
      'SELECT after, up_to, events FROM retelling',
    );
    const { after, up_to, events } = rows[0]!;
    return { after: Number(after), upTo: Number(up_to), events: Number(events) };
  }

  /** All that was told of these days; rows of earlier days that were told later are among it. Undefined when there is none. */
  async toldSince(day: string | undefined): Promise<Retelling | undefined> {
    const { rows } = await this.session.query<{ first: string | null; last: string }>(
      `SELECT min(told) AS first, (SELECT max(told) FROM journal) AS last FROM journal WHERE day >= $1`,
      [day ?? '-infinity'],
    );
    const { first, last } = rows[0]!;
    return first === null ? undefined : { after: Number(first) - 1, upTo: Number(last) };
  }

  /** Notes that there is nothing left of what was to be told again. */
  async finish({ after, upTo }: Retelling): Promise<void> {
    await this.session.query('UPDATE retelling SET after = up_to WHERE after = $1 AND up_to = $2', [after, upTo]);
  }

  /** Has rows told again, beside those that are to be anyway. */
  async tellAgain({ after, upTo }: Retelling): Promise<void> {
    await this.session.query(
      `UPDATE retelling SET after = CASE WHEN after < up_to THEN LEAST(after, $1) ELSE $1 END, up_to = GREATEST(up_to, $2),
         events = CASE WHEN after < up_to THEN events ELSE 0 END`,
      [after, upTo],
    );
  }

  /** The last row with `low < told <= high` that is not to be told again. */
  async lastPlace(low: number, high: number): Promise<Place | undefined> {
    const { rows } = await this.session.query<
      Pick<JournalRow, 'transitions' | 'notices'> & { told: string; stream_seq: string }
    >({
      name: 'last place',
      text: `
        SELECT told, stream_seq, transitions, notices FROM journal
        WHERE told > $1 AND told <= $2
          AND (told > (SELECT up_to FROM retelling) OR told <= (SELECT after FROM retelling))
        ORDER BY told DESC LIMIT 1`,
      values: [low, high],
    });
    const [row] = rows;
    if (!row) return undefined;
    return { told: Number(row.told), streamSeq: Number(row.stream_seq), events: eventIdsIn(row) };
  }

  /** How many events were published so far, as far as the journal knows. It never goes back, not even when all that was published is deleted. */
  async lastTold(): Promise<number> {
    const { rows } = await this.session.query<{ told: string | null }>(
      'SELECT GREATEST((SELECT max(told) FROM journal), (SELECT max(up_to) FROM retelling)) AS told',
    );
    return Number(rows[0]?.told ?? 0);
  }
}

const columns = (rows: readonly Published[]) => [
  rows.map(({ day }) => day),
  rows.map(({ seq }) => seq),
  rows.map(({ place }) => place?.told ?? null),
  rows.map(({ place }) => place?.streamSeq ?? null),
];
