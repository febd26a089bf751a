import { BATCH_SIZE, type WorkContract, type WorkHead, type WorkItem } from '@muster/contracts';
import type { DataSource, QueryRunner } from 'typeorm';
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
   * whatever they do must be repeatable, for a crash may come before them.
   */
  async transaction<T>(project: string, body: (tx: Tx) => Promise<T>): Promise<T> {
    const runner = this.dataSource.createQueryRunner();
    const tx = new Tx(runner, project);
    let result: T;
    try {
      await runner.startTransaction();
      result = await body(tx);
      this.options.fault?.('before_journal');
      await this.write(runner, tx);
      this.options.fault?.('before_commit');
      await runner.commitTransaction();
    } catch (error) {
      if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined);
      throw error;
    } finally {
      await runner.release();
    }
    this.options.fault?.('after_commit');
    for (const callback of tx.callbacks) callback();
    return result;
  }

  private async write(runner: QueryRunner, tx: Tx): Promise<void> {
    if (tx.transitions.length === 0 && tx.outbox.length === 0) return;
    await runner.query(
      `WITH row AS (
         INSERT INTO journal (project_id, transitions, work, traceparent) VALUES ($1, $2, $3, $4) RETURNING seq
       )
       SELECT pg_notify($5, '') FROM row`,
      [
        tx.project,
        JSON.stringify(tx.transitions),
        JSON.stringify(tx.outbox),
        currentTraceparent() ?? null,
        wakeChannel(this.options.schema),
      ],
    );
  }
}

/** Splits work into messages of at most {@link BATCH_SIZE} items. */
export function toMessages<C extends WorkContract>(
  contract: C,
  head: WorkHead<C>,
  items: readonly WorkItem<C>[],
  traceparent?: string,
): JournalWork[] {
  const messages: JournalWork[] = [];
  for (let at = 0; at < items.length; at += BATCH_SIZE) {
    messages.push({
      subject: contract.subject,
      head: head,
      items: items.slice(at, at + BATCH_SIZE),
      ...(traceparent ? { traceparent } : {}),
    });
  }
  return messages;
}
