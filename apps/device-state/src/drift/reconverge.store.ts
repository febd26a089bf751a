import { BATCH_SIZE, CONVERGE, type Reconverge } from '@muster/contracts';
import { batch, type Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { OperationEntity } from '../operations/operation.entity.js';
import { TimelineStore } from '../timeline/timeline.store.js';
import type { LastConverge, Tries } from './reconverge.decide.js';

/** When a drift that is being converged again is looked at anew: it may have failed. */
const LOOK_AGAIN = `now() + interval '60 seconds'`;

export interface DueDrift extends Tries {
  id: string;
  device_id: string;
  reason: string;
  repetition_id: string | null;
}

/** What is noted of a drift that was looked at. */
export interface LookedAt extends DueDrift {
  /** Whether to look once more. */
  again: boolean;
}

export type SourceRow = Pick<
  OperationEntity,
  'id' | 'state' | 'rollout' | 'schedule_type' | 'schedule_args' | 'console_timezone' | 'arguments' | 'created_by'
> & { rule: Reconverge | null };

/** The SQL of converging again. No device is locked here: who reports holds its device and then its drift. */
@Injectable()
export class ReconvergeStore {
  constructor(
    private readonly dataSource: DataSource,
    private readonly timeline: TimelineStore,
  ) {}

  /** The projects of the drifts that are due first. */
  async dueProjects(): Promise<string[]> {
    const rows = await this.dataSource.query<{ project_id: string }[]>(
      `SELECT DISTINCT project_id FROM (
         SELECT project_id FROM drift WHERE due_at <= now() ORDER BY due_at LIMIT ${BATCH_SIZE}
       ) due ORDER BY project_id`,
    );
    return rows.map(({ project_id }) => project_id);
  }

  /** Takes due drifts that nobody else is at. */
  takeDue(tx: Tx): Promise<DueDrift[]> {
    return tx.query(
      `SELECT t.id, t.device_id, t.reason, t.source_id, t.repetition_id, t.attempts, t.window_start,
              (r.due_at IS NOT NULL AND NOT EXISTS (
                SELECT FROM device_operation p
                WHERE p.project_id = r.project_id AND p.operation_id = r.id AND p.device_id = t.device_id)) AS repeating,
              CASE WHEN r.state = 'CANCELLED' AND NOT EXISTS (
                SELECT FROM device_operation p JOIN operation o ON o.project_id = p.project_id AND o.id = p.operation_id
                WHERE p.project_id = r.project_id AND p.device_id = t.device_id AND p.created_at > r.created_at
                  AND o.operation = '${CONVERGE}' AND o.id <> r.id) THEN r.id END AS withdrawn
       FROM drift t LEFT JOIN operation r ON r.project_id = t.project_id AND r.id = t.repetition_id
       WHERE t.project_id = $1 AND t.state = 'DRIFTED' AND t.due_at <= now()
       ORDER BY t.due_at LIMIT ${BATCH_SIZE} FOR UPDATE OF t SKIP LOCKED`,
      [tx.project],
    );
  }

  /** The last CONVERGE of each device that had one, as far as it is kept. */
  lastConverges(tx: Tx, devices: readonly string[]): Promise<(LastConverge & { device_id: string })[]> {
    return tx.query(
      `SELECT i.device_id, last.* FROM ${batch(['$2::uuid[]'], ['device_id'])} CROSS JOIN LATERAL (
         SELECT p.operation_id, o.source_id, p.state
         FROM device_operation p JOIN operation o ON o.project_id = p.project_id AND o.id = p.operation_id
         WHERE p.project_id = i.project_id AND p.device_id = i.device_id AND o.operation = '${CONVERGE}'
         ORDER BY p.id DESC LIMIT 1
       ) last`,
      [tx.project, devices],
    );
  }

  sources(tx: Tx, ids: readonly string[]): Promise<SourceRow[]> {
    return tx.query(
      `SELECT t.id, t.state, t.schedule_type, t.schedule_args, t.console_timezone, t.arguments, t.created_by, t.rollout,
              t.arguments -> 'reconverge' AS rule
       FROM operation t JOIN ${batch(['$2::uuid[]'], ['id'])} USING (project_id, id)`,
      [tx.project, ids],
    );
  }

  /** Notes what became of drifts that the transaction has taken, and what was decided on the timelines of their devices. */
  async note(tx: Tx, drifts: readonly LookedAt[], decided: ReadonlyMap<string, readonly LookedAt[]>): Promise<void> {
    if (drifts.length === 0) return;
    await tx.query(
      `UPDATE drift t
       SET reason = i.reason, source_id = i.source_id, repetition_id = i.repetition_id, attempts = i.attempts, window_start = i.window_start,
           due_at = CASE WHEN i.again THEN ${LOOK_AGAIN} END
       FROM ${batch(
         [
           '$2::uuid[]',
           '$3::text[]',
           '$4::uuid[]',
           '$5::uuid[]',
           '$6::integer[]',
           '$7::timestamptz[]',
           '$8::boolean[]',
         ],
         ['id', 'reason', 'source_id', 'repetition_id', 'attempts', 'window_start', 'again'],
       )}
       WHERE t.project_id = i.project_id AND t.id = i.id`,
      [
        tx.project,
        drifts.map(({ id }) => id),
        drifts.map(({ reason }) => reason),
        drifts.map(({ source_id }) => source_id),
        drifts.map(({ repetition_id }) => repetition_id),
        drifts.map(({ attempts }) => attempts),
        drifts.map(({ window_start }) => window_start?.toISOString() ?? null),
        drifts.map(({ again }) => again),
      ],
    );
    for (const [reason, of] of decided)
      await this.timeline.append(
        tx,
        { entity: 'drift', state: 'DRIFTED', reason },
        of.map(({ id, device_id, source_id, attempts }) => ({
          device_id,
          entity_id: id,
          detail: { source_id, attempts },
        })),
      );
  }
}
