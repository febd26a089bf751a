import { batch, type Tx } from '@muster/journal';
import { claimed, type Claim, type RunnerKey } from '@muster/service';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { CountChanges } from '../device-operations/device-operation.way.js';
import type { OperationFacts, RolloutState, Wish } from './operation.decide.js';
import type { OperationEntity } from './operation.entity.js';

// Without the query: it may name thousands of devices, and only resolving reads it.
const LOCKED = [
  'id',
  'state',
  'reason',
  'traceparent',
  'operation',
  'schedule_type',
  'schedule_args',
  'console_timezone',
  'arguments',
  'wish',
  'deadline',
  'resolved',
  'resolve_cursor',
  'fault',
  'rollout_state',
  'rollout_waits_for',
  'asked_after',
  'in_created',
  'in_initiated',
  'in_dispatched',
  'in_processing',
  'in_completed',
  'in_success',
  'in_failure',
  'in_timeout',
  'in_cancelled',
  'sent',
  'unsent',
  'stopping',
  'devices_deleted_at',
] as const satisfies (keyof OperationEntity)[];

/** What a document takes beside the columns that may be large; a reason is at most 512 characters. */
const FRAME_BYTES = 4_096;

/** An operation as its lock gives it. */
export type LockedOperation = Pick<OperationEntity, (typeof LOCKED)[number]> & OperationFacts;

/** The statements on operations that are no transition. */
@Injectable()
export class OperationStore {
  constructor(private readonly dataSource: DataSource) {}

  /** Locks the operation until the transaction ends: everything that moves its device operations or counts does this first. */
  async lock(tx: Tx, id: string): Promise<LockedOperation | undefined> {
    const [operation] = await tx.query<LockedOperation>(
      `SELECT ${LOCKED.join(', ')}, (opens_at > now()) IS NOT TRUE AS open, deadline <= now() AS late
       FROM operation WHERE project_id = $1 AND id = $2 FOR UPDATE`,
      [tx.project, id],
    );
    return operation;
  }

  /** Moves counts by what statements of the same transaction really did. */
  async count(tx: Tx, id: string, changes: CountChanges): Promise<void> {
    const counts = Object.entries(changes).filter(([, change]) => change !== 0);
    if (counts.length === 0) return;
    const assignments = counts.map(([name], at) => `${name} = ${name} + $${at + 3}`);
    await tx.query(`UPDATE operation SET ${assignments.join(', ')} WHERE project_id = $1 AND id = $2`, [
      tx.project,
      id,
      ...counts.map(([, change]) => change),
    ]);
  }

  /** How far resolving came, and why it can go no further, if so. */
  async saveCursor(tx: Tx, id: string, cursor: string | null, resolved: boolean, fault: string): Promise<void> {
    await tx.query(
      `UPDATE operation SET resolve_cursor = $3, resolved = $4, fault = $5 WHERE project_id = $1 AND id = $2`,
      [tx.project, id, cursor, resolved, fault],
    );
  }

  /** What is wanted of the operation, where its state stays as it is. `by`: who wants it; null: time does. */
  async saveWish(tx: Tx, id: string, wish: Wish, reason: string, by: string | null): Promise<void> {
    await tx.query(
      `UPDATE operation SET wish = $3, reason = $4, updated_by = coalesce($5, updated_by), updated_at = now(), wake_at = now()
       WHERE project_id = $1 AND id = $2`,
      [tx.project, id, wish, reason, by],
    );
  }

  /** Where its rollout stands, and why not every device has its turn, where that is so. From `over` nothing leads back. */
  async saveRollout(tx: Tx, id: string, state: RolloutState, fault = ''): Promise<void> {
    await tx.query(
      `UPDATE operation SET rollout_state = $3, fault = CASE WHEN fault = '' THEN $4 ELSE fault END
       WHERE project_id = $1 AND id = $2 AND rollout_state NOT IN ('none', 'over')`,
      [tx.project, id, state, fault],
    );
  }

  /** Up to which device job-planner was asked about those that have not begun; null: it is asked from the first on. */
  async saveAskedAfter(tx: Tx, id: string, device: string | null): Promise<void> {
    await tx.query(`UPDATE operation SET asked_after = $3 WHERE project_id = $1 AND id = $2`, [tx.project, id, device]);
  }

  /** What lets no further device of these operations begin now. */
  async saveWaits(tx: Tx, waits: readonly { operation_id: string; waits_for: string }[]): Promise<void> {
    const last = [...new Map(waits.map((wait) => [wait.operation_id, wait])).values()];
    await tx.query(
      `UPDATE operation t SET rollout_waits_for = i.waits_for
       FROM ${batch(['$2::uuid[]', '$3::text[]'], ['id', 'waits_for'])}
       WHERE t.project_id = i.project_id AND t.id = i.id AND t.rollout_waits_for IS DISTINCT FROM i.waits_for`,
      [tx.project, last.map(({ operation_id }) => operation_id), last.map(({ waits_for }) => waits_for)],
    );
  }

  /** About how many bytes the document of each takes. */
  async sizes(project: string, ids: readonly string[]): Promise<Map<string, number>> {
    const rows = await this.dataSource.query<{ id: string; bytes: number }[]>(
      `SELECT id, ${FRAME_BYTES} + octet_length(query::text) + octet_length(arguments::text) + octet_length(activity::text)
         + coalesce(octet_length(rollout::text), 0) AS bytes
       FROM operation JOIN ${batch(['$2::uuid[]'], ['id'])} USING (project_id, id)`,
      [project, ids],
    );
    return new Map(rows.map(({ id, bytes }) => [id, bytes]));
  }

  /** Every open operation is to be looked at now: whoever was doing so may have died. */
  async makeDue(): Promise<void> {
    await this.dataSource.query(`UPDATE operation SET wake_at = now() WHERE wake_at > now()`);
  }

  /**
   * Operations that the sweep has to look at, of every project; each is claimed for a while, so that replicas do not take the same, and one
   * that waits for its window until that.
   */
  async claimDue(claim: Claim): Promise<RunnerKey[]> {
    const [rows] = await this.dataSource.query<[RunnerKey[], number]>(
      `UPDATE operation o
       SET wake_at = greatest(now() + make_interval(secs => $1), CASE WHEN o.wish = 'run' THEN o.opens_at END)
       FROM ${claimed('operation', 'wake_at', claim)}
       WHERE o.project_id = due.project_id AND o.id = due.id
       RETURNING o.project_id, o.id`,
      [claim.seconds],
    );
    return rows;
  }
}
