import { operationRolloutWork } from '@muster/contracts';
import type { Tx } from '@muster/journal';
import { noticeTime, PROGRESS_NOTICES, SHOWN } from './progress.notices.js';
import { progressOf } from './progress.js';
import type { RolloutEntity } from './rollout.entity.js';
import { COUNTS, type Tally } from './tally.js';

/** Columns that are written as JSON. */
const JSONB = new Set<keyof RolloutEntity>(['waves', 'query_waves', 'baseline', 'durations', 'zone_windows']);

/** A rollout whose row the transaction has locked. What changes of it is collected, and written at once. */
export class LockedRollout {
  readonly #changed = new Set<keyof RolloutEntity>();

  /** @param now the time of the database, in epoch milliseconds */
  constructor(
    readonly row: Readonly<RolloutEntity>,
    readonly now: number,
  ) {}

  get id(): string {
    return this.row.id;
  }

  /** Sets columns. */
  set(values: Partial<RolloutEntity>): void {
    for (const [name, value] of Object.entries(values) as [keyof RolloutEntity, never][]) {
      if (this.row[name] === value) continue;
      (this.row as RolloutEntity)[name] = value;
      this.#changed.add(name);
    }
  }

  /** Moves counts by what statements of the same transaction really did. */
  count(changes: Partial<Tally>): void {
    for (const [name, change] of Object.entries(changes) as [keyof Tally, number][])
      if (change !== 0) this.set({ [name]: this.row[name] + change });
  }

  /** The counts as they are now. */
  tally(): Tally {
    return Object.fromEntries(COUNTS.map((name) => [name, this.row[name]])) as unknown as Tally;
  }

  /** Writes what has changed, and tells of it when it is time to; nothing where nothing has. */
  async save(tx: Tx): Promise<void> {
    this.#tell(tx);
    this.#tellWait(tx);
    const names = [...this.#changed];
    if (names.length === 0) return;
    this.#changed.clear();
    const values = names.map((name) => {
      const value = this.row[name];
      return JSONB.has(name) && value !== null ? JSON.stringify(value) : value;
    });
    await tx.query(
      `UPDATE rollout SET ${names.map((name, at) => `${name} = $${at + 3}`).join(', ')} WHERE project_id = $1 AND id = $2`,
      [tx.project, this.id, ...values],
    );
  }

  /** Who keeps an operation shows what it waits for. */
  #tellWait(tx: Tx): void {
    const { id, family, waits_for, traceparent } = this.row;
    if (family !== 'operation' || !this.#changed.has('waits_for')) return;
    tx.work(operationRolloutWork.waits, {}, [{ operation_id: id, waits_for }], traceparent ?? undefined);
  }

  #tell(tx: Tx): void {
    const { row, now } = this;
    const contract = PROGRESS_NOTICES[row.family];
    const isUntold = row.tell_at !== null || SHOWN.some((name) => this.#changed.has(name));
    if (!contract || !isUntold) return;
    const time = noticeTime(row, now);
    if (time > now) {
      if (row.tell_at === null) this.set({ tell_at: new Date(time) });
      return;
    }
    const at = Math.trunc(now);
    this.set({ told: row.told + 1, told_at: new Date(at), tell_at: null, unheard: row.family === 'stage-run' });
    const { id, told, traceparent } = row;
    tx.notice(contract, { id, number: told, at, data: progressOf(row, at), ...(traceparent && { traceparent }) });
  }
}
