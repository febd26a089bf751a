import type { Tx } from '@muster/journal';
import type { RunnerKey } from '@muster/service';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { RolloutEntity } from './rollout.entity.js';
import { LockedRollout } from './locked-rollout.js';

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

  /** Every open rollout is to be looked at now: whoever was doing so may have died. */
  async makeDue(): Promise<void> {
    await this.dataSource.query(`UPDATE rollout SET due_at = now() WHERE due_at > now()`);
  }

  /** Rollouts that the sweep has to look at, of every project; each is claimed for a while, so that replicas do not take the same. */
  async claimDue(limit: number, seconds: number): Promise<RunnerKey[]> {
    const [rows] = await this.dataSource.query<[RunnerKey[], number]>(
      `UPDATE rollout SET due_at = now() + make_interval(secs => $2)
       FROM (SELECT project_id, id FROM rollout WHERE due_at <= now() ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED) AS due
       WHERE rollout.project_id = due.project_id AND rollout.id = due.id
       RETURNING rollout.project_id, rollout.id`,
      [limit, seconds],
    );
    return rows;
  }
}
