import { BATCH_SIZE, MAX_WORK_BYTES, type WorkContract, type WorkHead, type WorkItem } from '@muster/contracts';
import type { ClientBase } from 'pg';
import type { DataSource } from 'typeorm';
import { currentTraceparent } from './trace.js';
import { Tx, type JournalWork } from './tx.js';

/** The NOTIFY channel that wakes the relay of a schema. */
export const wakeChannel = (schema: string) => `journal_${schema}`;

/** Whether a transaction that was about to write its journal row committed; tests break it between any two steps. */
export type FaultPoint = 'before_journal' | 'before_commit' | 'after_commit';

export interface JournalOptions {
  schema: string;
  /** Called between the steps of a transaction; a test throws here. */
  fault?: (point: FaultPoint) => void;
  /** Told of a callback that failed after the commit. */
  onError?: (error: unknown) => void;
}

/**
 * The one way to change a state: everything that happens inside {@link Journal.transaction} becomes visible together with one journal
 * row that says what happened and what work follows from it (architecture: "The one primitive").
 */
export class Journal {
  constructor(
    private readonly dataSource: DataSource,
    private readonly options: JournalOptions,
  ) {}

  /**
   * Runs `body` in one transaction bound to one project. Callbacks registered with {@link Tx.afterCommit} run once it has committed;
   * whatever they do must be repeatable, for a crash may come before them. One that throws is told to `onError` and undoes nothing.
   */
  async transaction<T>(project: string, body: (tx: Tx) => Promise<T>): Promise<T> {
    const runner = this.dataSource.createQueryRunner();
    let tx: Tx;
    let result: T;
    try {
      tx = new Tx((await runner.connect()) as ClientBase, project);
      await runner.startTransaction();
      result = await body(tx);
      this.options.fault?.('before_journal');
      await this.write(tx);
      this.options.fault?.('before_commit');
      await runner.commitTransaction();
    } catch (error) {
      if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined);
      throw error;
    } finally {
      await runner.release();
    }
    this.options.fault?.('after_commit');
    for (const callback of tx.callbacks) this.follow(callback);
    return result;
  }

  // What is committed must not look failed to the caller, who would do it again.
  private follow(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.options.onError?.(error);
    }
  }

  private async write(tx: Tx): Promise<void> {
    if (tx.moves.length === 0 && tx.notices.length === 0 && tx.outbox.length === 0) return;
    await tx.query(
      `WITH row AS (
         INSERT INTO journal (project_id, transitions, notices, work, traceparent) VALUES ($1, $2, $3, $4, $5) RETURNING seq
       )
       SELECT pg_notify($6, '') FROM row`,
      [
        tx.project,
        JSON.stringify(tx.moves),
        tx.notices.length > 0 ? JSON.stringify(tx.notices) : null,
        JSON.stringify(tx.outbox),
        currentTraceparent() ?? null,
        wakeChannel(this.options.schema),
      ],
    );
  }
}

/** Splits work into messages of at most {@link BATCH_SIZE} items and {@link MAX_WORK_BYTES}; an item larger than that goes alone. */
export function toMessages<C extends WorkContract>(
  project: string,
  contract: C,
  head: WorkHead<C>,
  items: readonly WorkItem<C>[],
  traceparent?: string,
): JournalWork[] {
  const messages: JournalWork[] = [];
  const start = `{"project_id":${JSON.stringify(project)},"head":${JSON.stringify(head)},"items":[`;
  let texts: string[] = [];
  let bytes = 0;
  const cut = () => {
    if (texts.length === 0) return;
    const message = { subject: contract.subject, body: `${start}${texts.join(',')}]}` };
    messages.push(traceparent ? { ...message, traceparent } : message);
    texts = [];
    bytes = 0;
  };
  for (const item of items) {
    const text = JSON.stringify(item);
    const size = Buffer.byteLength(text);
    if (texts.length === BATCH_SIZE || bytes + size > MAX_WORK_BYTES) cut();
    texts.push(text);
    bytes += size;
  }
  cut();
  return messages;
}
