import type { Tx } from '@muster/journal';
import { claimed, type Claim, type RunnerKey } from '@muster/service';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Durations } from './durations.js';
import type { RolloutEntity } from './rollout.entity.js';
import { LockedRollout } from './locked-rollout.js';

/** How many rollouts an estimate is made of. */
const LATEST = 20;

/** The statements on rollouts; they are no transition, for it is what is rolled out that has states. */
@Injectable()
export class RolloutStore {
  constructor(private readonly dataSource: DataSource) {}

  /** Makes a rollout for what was just made with the same id. */
  async create(
    tx: Tx,
    row: Pick<RolloutEntity, 'id' | 'family' | 'spec' | 'command' | 'args'> & { traceparent: string | null },
  ): Promise<void> {
    const { id, family, spec, command, args, traceparent } = row;
    await tx.query(
      `INSERT INTO rollout (project_id, id, family, spec, command, args, traceparent, due_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, now()) ON CONFLICT DO NOTHING`,
      [tx.project, id, family, JSON.stringify(spec), command, JSON.stringify(args), traceparent],
    );
  }

  /** Locks the rollout until the transaction ends: everything that moves its devices or counts does this first. */
  async lock(tx: Tx, id: string): Promise<LockedRollout | undefined> {
    const [found] = await tx.query<RolloutEntity & { now: number }>(
      `SELECT *, (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now FROM rollout
       WHERE project_id = $1 AND id = $2 FOR UPDATE`,
      [tx.project, id],
    );
    if (!found) return undefined;
    const { now, ...row } = found;
    return new LockedRollout(row, now);
  }

  /** How long devices took for a command in the latest rollouts of it. */
  async durationsOf(project: string, command: string): Promise<Durations> {
    const rows = await this.dataSource.query<{ durations: Durations }[]>(
      `SELECT durations FROM rollout WHERE project_id = $1 AND command = $2 AND durations <> '{}' ORDER BY id DESC LIMIT ${LATEST}`,
      [project, command],
    );
    const sum: Record<string, number> = {};
    for (const { durations } of rows)
      for (const [bucket, count] of Object.entries(durations)) sum[bucket] = (sum[bucket] ?? 0) + count;
    return sum;
  }

  async prioritiesOf(project: string, ids: readonly string[]): Promise<Map<string, number>> {
    const rows = await this.dataSource.query<{ id: string; priority: number }[]>(
      `SELECT id, coalesce((spec ->> 'priority')::integer, 0) AS priority FROM rollout WHERE project_id = $1 AND id = ANY($2)`,
      [project, ids],
    );
    return new Map(rows.map(({ id, priority }) => [id, priority]));
  }

  /** Every open rollout is to be looked at now: whoever was doing so may have died. */
  async makeDue(): Promise<void> {
    await this.dataSource.query(`UPDATE rollout SET due_at = now() WHERE due_at > now()`);
  }

  /** Rollouts that the sweep has to look at, of every project; each is claimed for a while, so that replicas do not take the same. */
  async claimDue(claim: Claim): Promise<RunnerKey[]> {
    const [rows] = await this.dataSource.query<[RunnerKey[], number]>(
      `UPDATE rollout SET due_at = now() + make_interval(secs => $1) FROM ${claimed('rollout', 'due_at', claim)}
       WHERE rollout.project_id = due.project_id AND rollout.id = due.id
       RETURNING rollout.project_id, rollout.id`,
      [claim.seconds],
    );
    return rows;
  }

  /** Rollouts whose progress is to be told now, of every project. */
  async untold(limit: number): Promise<RunnerKey[]> {
    return this.dataSource.query<RunnerKey[]>(
      `SELECT project_id, id FROM rollout WHERE tell_at <= now() ORDER BY tell_at LIMIT $1`,
      [limit],
    );
  }
}
