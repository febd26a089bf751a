import type { Statements } from './dead-letters.js';

const FORGET_DAYS = 7;

/**
 * Keeps which messages are being handled with care, so that a reader that died of one is known to the next. A row that its own reader
 * finds again says nothing: that reader is alive, it only could not take the row away.
 */
export class WatchedDeliveries {
  /** @param reader a UUID of this process. */
  constructor(
    private readonly statements: Statements,
    private readonly reader: string,
  ) {}

  /** How many other readers were lost with each message; those of which none was are left out. */
  async lostReaders(messages: readonly string[]): Promise<Map<string, number>> {
    const rows = (await this.statements.query(
      `SELECT message, lost_readers + CASE WHEN reader <> $2 THEN 1 ELSE 0 END AS lost
         FROM watched_delivery WHERE message = ANY($1)`,
      [messages, this.reader],
    )) as { message: string; lost: number }[];
    return new Map(rows.filter(({ lost }) => lost > 0).map(({ message, lost }) => [message, lost]));
  }

  /** Says that this process begins to handle them. */
  async begin(messages: readonly string[]): Promise<void> {
    await this.statements.query(
      // Rows of messages that went with their stream would stay for ever.
      `WITH forgotten AS (DELETE FROM watched_delivery WHERE since < now() - interval '${FORGET_DAYS} days' AND message <> ALL($1))
       INSERT INTO watched_delivery AS known (message, reader)
       SELECT message, $2 FROM unnest($1::text[]) AS given(message) ORDER BY message
       ON CONFLICT (message) DO UPDATE SET reader = excluded.reader,
         lost_readers = known.lost_readers + CASE WHEN known.reader <> excluded.reader THEN 1 ELSE 0 END`,
      [messages, this.reader],
    );
  }

  /** Says that handling them came to an end, whichever. */
  async end(messages: readonly string[]): Promise<void> {
    await this.statements.query(`DELETE FROM watched_delivery WHERE message = ANY($1)`, [messages]);
  }
}
