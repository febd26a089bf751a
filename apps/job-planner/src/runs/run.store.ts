import type { Rollout, RunState, StageMeta, StageRunState } from '@muster/contracts';
import type { Tx } from '@muster/journal';
import { claimed, type Claim, type RunnerKey } from '@muster/service';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { StageRunEntity } from '../stage-runs/stage-run.entity.js';
import type { TargetRunEntity } from '../target-runs/target-run.entity.js';
import type { Queries } from '../pipelines/pipeline.store.js';
import type { PipelineRunEntity } from './pipeline-run.entity.js';
import type { RunWish } from './run.decide.js';
import { RUN_TALLIES, UNTOLD_RUNS, type RunTally } from './run.progress.js';

/** A run as its lock gives it, with the time of the database. */
export interface LockedRun {
  id: string;
  state: RunState;
  wish: RunWish;
  reason: string;
  waits: boolean;
  promoted: number;
  pipeline_id: string;
  late: boolean;
  traceparent: string | null;
}

/** A run as far as it depends on it what it tells. */
type UntoldRun = Pick<PipelineRunEntity, 'state' | 'told' | 'tell_at' | 'traceparent'>;

/** A stage's part in a run, as the run's next step needs it. */
export interface StageOfRun {
  id: string;
  state: StageRunState;
  place: number;
  meta: StageMeta;
  paused: boolean;
  operations: number;
}

/** What a stage of a pipeline is when a run of it starts. */
export interface StageSnapshot {
  id: string;
  meta: StageMeta;
  target_list_ids: string[];
}

/** A stage of a pipeline as a run that started now would have it. */
export interface StageNow {
  rollout: Rollout;
  timeout_seconds: number;
  target_list_ids: string[];
  /** The commands of its operations, in their order. */
  commands: string[];
}

/** SQL: the target lists of the stage `s`. */
const LISTS_OF_STAGE = `ARRAY(SELECT l.target_list_id FROM stage_target_list l
               WHERE l.project_id = s.project_id AND l.stage_id = s.id ORDER BY 1) AS target_list_ids`;

/** The statements on runs that are no transition. */
@Injectable()
export class RunStore {
  constructor(private readonly dataSource: DataSource) {}

  /** Locks the run until the transaction ends: everything that moves it does this first. */
  async lock(tx: Tx, id: string): Promise<LockedRun | undefined> {
    const [run] = await tx.query<LockedRun & Record<string, unknown>>(
      `SELECT id, state, wish, reason, waits, promoted, pipeline_id, traceparent, deadline <= clock_timestamp() AS late
       FROM pipeline_run WHERE project_id = $1 AND id = $2 FOR UPDATE`,
      [tx.project, id],
    );
    return run;
  }

  /** The stages of a run, in their order. */
  async stages(tx: Tx, run: string): Promise<StageOfRun[]> {
    return tx.query<StageOfRun & Record<string, unknown>>(
      `SELECT s.id, s.state, s.place, s.meta, coalesce(r.at_rest AND r.wish = 'pause', false) AS paused,
         (SELECT count(*)::integer FROM stage_run_operation o WHERE o.project_id = s.project_id AND o.stage_run_id = s.id) AS operations
       FROM stage_run s LEFT JOIN rollout r USING (project_id, id)
       WHERE s.project_id = $1 AND s.pipeline_run_id = $2 ORDER BY s.place`,
      [tx.project, run],
    );
  }

  /** Locks the pipeline. Undefined where there is none. */
  async lockPipeline(
    tx: Tx,
    id: string,
  ): Promise<{ name: string; is_active: boolean; timeout_seconds: number } | undefined> {
    const [pipeline] = await tx.query<{ name: string; is_active: boolean; timeout_seconds: number }>(
      `SELECT name, is_active, timeout_seconds FROM pipeline WHERE project_id = $1 AND id = $2 FOR UPDATE`,
      [tx.project, id],
    );
    return pipeline;
  }

  /** Numbers one more run of the pipeline, which is locked: no number comes twice, also after its run was deleted. */
  async nextNumber(tx: Tx, pipeline: string): Promise<number> {
    const [row] = await tx.query<{ last_run_number: number }>(
      `UPDATE pipeline SET last_run_number = 1 + greatest(last_run_number,
         (SELECT max(run_number) FROM pipeline_run WHERE project_id = $1 AND pipeline_id = $2))
       WHERE project_id = $1 AND id = $2 RETURNING last_run_number`,
      [tx.project, pipeline],
    );
    return row!.last_run_number;
  }

  /** The stages of a pipeline as they are, in their order. The pipeline is locked. */
  async snapshot(tx: Tx, pipeline: string): Promise<StageSnapshot[]> {
    return tx.query<StageSnapshot & Record<string, unknown>>(
      `SELECT s.id, jsonb_build_object('name', s.name, 'description', s.description, 'created_by', s.created_by, 'order', s."order",
           'timeout_seconds', s.timeout_seconds, 'promotion', s.promotion, 'on_failure', s.on_failure, 'rollout', s.rollout) AS meta,
         ${LISTS_OF_STAGE}
       FROM stage s WHERE s.project_id = $1 AND s.pipeline_id = $2 ORDER BY s."order"`,
      [tx.project, pipeline],
    );
  }

  /** One stage of a pipeline as it is. Undefined where there is none. */
  async stage(project: string, pipeline: string, id: string): Promise<StageNow | undefined> {
    const [stage] = await this.dataSource.query<StageNow[]>(
      `SELECT s.rollout, s.timeout_seconds, ${LISTS_OF_STAGE},
         ARRAY(SELECT o.operation_type FROM pipeline_operation o
               WHERE o.project_id = s.project_id AND o.stage_id = s.id ORDER BY o.place) AS commands
       FROM stage s WHERE s.project_id = $1 AND s.pipeline_id = $2 AND s.id = $3`,
      [project, pipeline, id],
    );
    return stage;
  }

  /** Keeps the operations of a stage as they are for its run. The pipeline is locked. */
  async copyOperations(tx: Tx, stage: string, stageRun: string): Promise<void> {
    await tx.query(
      `INSERT INTO stage_run_operation (project_id, id, stage_run_id, step, operation_type, args, created_by, updated_by, created_at, updated_at)
       SELECT project_id, gen_random_uuid(), $3, (row_number() OVER (ORDER BY place) - 1)::integer, operation_type, args,
         created_by, updated_by, created_at, updated_at
       FROM pipeline_operation WHERE project_id = $1 AND stage_id = $2`,
      [tx.project, stage, stageRun],
    );
  }

  /** Notes who acted on a stage run. The run is locked. */
  async touchStage(tx: Tx, id: string, by: number): Promise<void> {
    await tx.query(`UPDATE stage_run SET updated_by = $3, updated_at = now() WHERE project_id = $1 AND id = $2`, [
      tx.project,
      id,
      by,
    ]);
  }

  /** Notes as what a stage run ends once its rollout stands still; what was noted first stays. */
  async endStageAs(tx: Tx, id: string, as: NonNullable<StageRunEntity['ending']>): Promise<void> {
    await tx.query(`UPDATE stage_run SET ending = coalesce(ending, $3) WHERE project_id = $1 AND id = $2`, [
      tx.project,
      id,
      as,
    ]);
  }

  async operations(
    tx: Tx,
    stageRun: string,
  ): Promise<{ id: string; command: string; args: Record<string, unknown> }[]> {
    return tx.query(
      `SELECT id, operation_type AS command, args FROM stage_run_operation
       WHERE project_id = $1 AND stage_run_id = $2 ORDER BY step`,
      [tx.project, stageRun],
    );
  }

  /** What is wanted of the run, where its state stays as it is. */
  async save(
    tx: Tx,
    id: string,
    values: Partial<Pick<LockedRun, 'wish' | 'waits' | 'promoted'>>,
    by: number | null,
  ): Promise<void> {
    const names = Object.keys(values);
    await tx.query(
      `UPDATE pipeline_run SET ${names.map((name, at) => `${name} = $${at + 4}, `).join('')}updated_at = now(),
         updated_by = coalesce($3, updated_by), due_at = now() WHERE project_id = $1 AND id = $2`,
      [tx.project, id, by, ...Object.values(values)],
    );
  }

  /** Has the run looked at when so many seconds are over. */
  async lookBy(tx: Tx, id: string, seconds: number): Promise<void> {
    await tx.query(
      `UPDATE pipeline_run SET due_at = least(due_at, now() + make_interval(secs => $3)) WHERE project_id = $1 AND id = $2 AND due_at IS NOT NULL`,
      [tx.project, id, seconds],
    );
  }

  /** The run is gone at once; the target runs of its stages, which may be a million, go in the background. */
  async delete(project: string, id: string): Promise<void> {
    await this.dataSource.query(
      `WITH stages AS (DELETE FROM stage_run WHERE project_id = $1 AND pipeline_run_id = $2 RETURNING id),
         operations AS (DELETE FROM stage_run_operation o USING stages s WHERE o.project_id = $1 AND o.stage_run_id = s.id),
         rollouts AS (DELETE FROM rollout r USING stages s WHERE r.project_id = $1 AND r.id = s.id),
         asked AS (DELETE FROM approval a USING stages s WHERE a.project_id = $1 AND a.subject_id = s.id),
         removals AS (INSERT INTO stage_run_removal (project_id, stage_run_id) SELECT $1, id FROM stages ON CONFLICT DO NOTHING)
       DELETE FROM pipeline_run WHERE project_id = $1 AND id = $2`,
      [project, id],
    );
  }

  /** The stage runs of each of these runs together; of one without stages there is none. */
  async tallies(queries: Queries, project: string, runs: readonly string[]): Promise<RunTally[]> {
    return (await queries.query(RUN_TALLIES, [project, runs])) as RunTally[];
  }

  /** The target runs of a device in a stage run, in the order of its operations. */
  async targetRunsOf(project: string, stageRun: string, device: string): Promise<TargetRunEntity[]> {
    return this.dataSource.query<TargetRunEntity[]>(
      `SELECT r.* FROM stage_device d JOIN target_run r ON r.project_id = d.project_id AND r.stage_device_id = d.id
       WHERE d.project_id = $1 AND d.device_id = $2 AND d.stage_run_id = $3 ORDER BY r.step`,
      [project, device, stageRun],
    );
  }

  /** Runs whose progress is to be told now, of every project. */
  async untold(limit: number): Promise<RunnerKey[]> {
    return this.dataSource.query<RunnerKey[]>(UNTOLD_RUNS, [limit]);
  }

  /** Locks a run whose progress nobody has told meanwhile. */
  async lockUntold(tx: Tx, id: string): Promise<(UntoldRun & { now: number }) | undefined> {
    const [run] = await tx.query<UntoldRun & { now: number }>(
      `SELECT state, told, tell_at, traceparent, (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now FROM pipeline_run
       WHERE project_id = $1 AND id = $2 AND told_at <= now() - interval '1 second' FOR UPDATE`,
      [tx.project, id],
    );
    return run;
  }

  /** A run, which is locked, hears of what its stages have told. It waits for none: those at work have more to tell soon. */
  async hear(tx: Tx, id: string): Promise<void> {
    await tx.query(
      `UPDATE rollout SET unheard = false
       FROM (SELECT r.project_id, r.id FROM stage_run s JOIN rollout r USING (project_id, id)
             WHERE s.project_id = $1 AND s.pipeline_run_id = $2 AND r.unheard FOR UPDATE OF r SKIP LOCKED) AS heard
       WHERE rollout.project_id = heard.project_id AND rollout.id = heard.id`,
      [tx.project, id],
    );
  }

  /** Notes that the progress was told once more. */
  async noteTold(tx: Tx, id: string, at: Date): Promise<void> {
    await tx.query(
      `UPDATE pipeline_run SET told = told + 1, told_at = $3, tell_at = NULL WHERE project_id = $1 AND id = $2`,
      [tx.project, id, at],
    );
  }

  async makeDue(): Promise<void> {
    await this.dataSource.query(`UPDATE pipeline_run SET due_at = now() WHERE due_at > now()`);
  }

  /** Runs that the sweep has to look at, of every project; each is claimed until its time is up at the latest. */
  async claimDue(claim: Claim): Promise<RunnerKey[]> {
    const [rows] = await this.dataSource.query<[RunnerKey[], number]>(
      `UPDATE pipeline_run SET due_at = least(now() + make_interval(secs => $1), CASE WHEN deadline > now() THEN deadline END,
         (SELECT min(s.deadline) FROM stage_run s
          WHERE s.project_id = pipeline_run.project_id AND s.pipeline_run_id = pipeline_run.id AND s.deadline > now()))
       FROM ${claimed('pipeline_run', 'due_at', claim)}
       WHERE pipeline_run.project_id = due.project_id AND pipeline_run.id = due.id
       RETURNING pipeline_run.project_id, pipeline_run.id`,
      [claim.seconds],
    );
    return rows;
  }

  /** The stages of this run whose time is up, and whose rollout nobody has stopped. */
  async lateStages({ project_id, id }: RunnerKey): Promise<string[]> {
    const rows = await this.dataSource.query<{ id: string }[]>(
      `SELECT s.id FROM stage_run s JOIN rollout r USING (project_id, id)
       WHERE s.project_id = $1 AND s.pipeline_run_id = $2 AND s.deadline <= now() AND r.wish <> 'cancel'`,
      [project_id, id],
    );
    return rows.map((row) => row.id);
  }
}
