import type { Statements } from './dead-letters.js';

const FORGET_DAYS = 7;
/** Shorter than the time after which a message that failed often comes again, perhaps to another reader. */
const RETRY_MS = 500;

/**
 * Keeps which messages are being handled with care, so that a reader that died of one is known to the next. A reader that lives must not
 * be taken for a lost one: a row that it could not take away, because the database was gone, it takes away as soon as that is back, even
 * if another reader has found it meanwhile and counted a loss. A row that its own reader finds again says nothing.
 */
export class WatchedDeliveries {
  /** Messages whose row may still be there although this process is done with them. */
  private readonly leftOver = new Set<string>();
  private retry: NodeJS.Timeout | undefined;
  private closed = false;

  /** @param reader a UUID of this process. */
  constructor(
    private readonly statements: Statements,
    private readonly reader: string,
  ) {}

  /** How many other readers were lost with each message; those of which none was are left out. */
  async lostReaders(messages: readonly string[]): Promise<Map<string, number>> {
    await this.takeAway();
    const rows = (await this.statements.query(
      `SELECT message, lost_readers + CASE WHEN reader <> $2 THEN 1 ELSE 0 END AS lost
         FROM watched_delivery WHERE message = ANY($1)`,
      [messages, this.reader],
    )) as { message: string; lost: number }[];
    return new Map(rows.filter(({ lost }) => lost > 0).map(({ message, lost }) => [message, lost]));
  }

  /** Says that this process begins to handle them. */
  async begin(messages: readonly string[]): Promise<void> {
    try {
      await this.statements.query(
        // Rows of messages that went with their stream would stay for ever.
        `WITH forgotten AS (DELETE FROM watched_delivery WHERE since < now() - interval '${FORGET_DAYS} days' AND message <> ALL($1))
         INSERT INTO watched_delivery AS known (message, reader)
         SELECT message, $2 FROM unnest($1::text[]) AS given(message) ORDER BY message
         ON CONFLICT (message) DO UPDATE SET reader = excluded.reader,
           lost_readers = known.lost_readers + CASE WHEN known.reader <> excluded.reader THEN 1 ELSE 0 END`,
        [messages, this.reader],
      );
    } catch (error) {
      // The rows may be there: only the answer may have been lost.
      this.keepForLater(messages);
      throw error;
    }
  }

  /** Says that handling them came to an end, whichever. What fails is tried again until it is done or this is closed. */
  async end(messages: readonly string[]): Promise<void> {
    try {
      await this.remove(messages);
    } catch (error) {
      this.keepForLater(messages);
      throw error;
    }
  }

  /** Takes away what is left over, if the database can be asked, and tries no more. To be called when nothing is handled any more. */
  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.retry);
    await this.takeAway().catch(() => undefined);
  }

  private keepForLater(messages: readonly string[]): void {
    for (const message of messages) this.leftOver.add(message);
    this.retryLater();
  }

  private retryLater(): void {
    if (this.closed || this.leftOver.size === 0) return;
    clearTimeout(this.retry);
    this.retry = setTimeout(() => {
      void this.takeAway()
        .catch(() => undefined)
        .finally(() => this.retryLater());
    }, RETRY_MS).unref();
  }

  private async takeAway(): Promise<void> {
    if (this.leftOver.size === 0) return;
    const messages = [...this.leftOver];
    await this.remove(messages);
    for (const message of messages) this.leftOver.delete(message);
  }

  private async remove(messages: readonly string[]): Promise<void> {
    await this.statements.query(`DELETE FROM watched_delivery WHERE message = ANY($1)`, [messages]);
  }
}
