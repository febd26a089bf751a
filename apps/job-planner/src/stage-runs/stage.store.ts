import type { TargetRunState } from '@muster/contracts';
import { batch, type Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { UnderWay } from '../rollout/rollout.ask.js';
import { FIRST_ASK_AT } from '../rollout/target.store.js';
import { UNDER_WAY } from '../rollout/target.table.js';
import { stageTargets } from './stage-device.table.js';
import type { StageRunEntity } from './stage-run.entity.js';
import { LISTED, type Listed } from './stage.targets.js';

/** The part of a device whose command has come to an end, and what follows. */
export interface Standing {
  id: string;
  state: string;
  waits_for: string;
  place: number;
  step: number;
  target_run_id: string;
  device_id: string;
  next_id: string | null;
  next_state: string | null;
}

/** Where a part is: its target run, and the present try of that. */
export interface Current {
  id: string;
  state: string;
  run: string;
  command_id: string | null;
  attempts: number;
}

/** The part of a target run's device, with the status of that target run. */
export interface PartOf {
  id: string;
  state: string;
  target_run_id: string;
  /** The command of its present try; null before, and between two tries. */
  command_id: string | null;
  status: TargetRunState;
}

/** The statements on stage runs and the devices in them that are no transition. */
@Injectable()
export class StageStore {
  constructor(private readonly dataSource: DataSource) {}

  /** A target of a pipeline; undefined where it has none with this id. */
  async listed(project: string, pipeline: string, target: string): Promise<Listed | undefined> {
    const [listed] = await this.dataSource.query<Listed[]>(
      `SELECT t.id, t.device_id, t.device_alias FROM ${LISTED} WHERE t.project_id = $1 AND t.pipeline_id = $2 AND t.id = $3`,
      [project, pipeline, target],
    );
    return listed;
  }

  /** The part of a target run's device. The rollout is locked. */
  async partOf(tx: Tx, targetRun: string): Promise<PartOf | undefined> {
    const [part] = await tx.query<PartOf & Record<string, unknown>>(
      `SELECT d.id, d.state, d.target_run_id, d.command_id, r.state AS status FROM target_run r
       JOIN stage_device d ON d.project_id = r.project_id AND d.id = r.stage_device_id
       WHERE r.project_id = $1 AND r.id = $2`,
      [tx.project, targetRun],
    );
    return part;
  }

  async stageRun(tx: Tx, id: string): Promise<StageRunEntity> {
    const [row] = await tx.query<StageRunEntity>(`SELECT * FROM stage_run WHERE project_id = $1 AND id = $2`, [
      tx.project,
      id,
    ]);
    return row!;
  }

  /** Who started a run. */
  async starterOf(tx: Tx, pipelineRun: string): Promise<string> {
    const [run] = await tx.query<{ started_by: string }>(
      `SELECT started_by FROM pipeline_run WHERE project_id = $1 AND id = $2`,
      [tx.project, pipelineRun],
    );
    return run!.started_by;
  }

  /** Notes which target run each of these parts is at. */
  async moveTo(tx: Tx, runs: readonly (readonly [part: string, run: string])[]): Promise<void> {
    await tx.query(
      `UPDATE stage_device t SET target_run_id = i.run FROM ${batch(['$2::uuid[]', '$3::uuid[]'], ['id', 'run'])}
       WHERE t.project_id = i.project_id AND t.id = i.id`,
      [tx.project, runs.map(([part]) => part), runs.map(([, run]) => run)],
    );
  }

  /** Where each of these parts is. */
  async current(tx: Tx, parts: readonly { id: string }[]): Promise<Map<string, Current>> {
    const rows = await tx.query<Current & Record<string, unknown>>(
      `SELECT t.id, t.state, t.target_run_id AS run, t.command_id, t.attempts
       FROM ${batch(['$2::uuid[]'], ['id'])} JOIN stage_device t USING (project_id, id)`,
      [tx.project, [...new Set(parts.map(({ id }) => id))]],
    );
    return new Map(rows.map((row) => [row.id, row]));
  }

  /** Of the parts whose command is the one named: where they are, and what follows. */
  async standing(tx: Tx, ends: readonly { ref: string; command_id: string | null }[]): Promise<Map<string, Standing>> {
    const rows = await tx.query<Standing & Record<string, unknown>>(
      `SELECT t.id, t.state, t.waits_for, t.place, t.step, t.target_run_id, t.device_id, n.id AS next_id, n.state AS next_state
       FROM ${batch(['$2::uuid[]', '$3::uuid[]'], ['id', 'command'])} JOIN stage_device t USING (project_id, id)
       LEFT JOIN target_run n ON n.project_id = t.project_id AND n.stage_device_id = t.id AND n.step = t.step + 1
       WHERE t.command_id = i.command`,
      [tx.project, ends.map(({ ref }) => ref), ends.map(({ command_id }) => command_id)],
    );
    return new Map(rows.map((row) => [row.id, row]));
  }

  /** These parts, which are under way, begin what follows with these commands. */
  async goOn(
    tx: Tx,
    parts: readonly Standing[],
    commands: readonly string[],
    offlineSeconds: number,
  ): Promise<UnderWay[]> {
    return tx.query<UnderWay>(
      `WITH going AS (
         UPDATE stage_device t SET step = t.step + 1, target_run_id = i.run, command_id = i.command, attempts = 1, asks = 0,
           releases = t.releases + 1, ask_at = ${FIRST_ASK_AT},
           contact_by = CASE WHEN t.contact_by IS NOT NULL THEN now() + make_interval(secs => $5) END, outcome = NULL
         FROM ${batch(['$2::uuid[]', '$3::uuid[]', '$4::uuid[]'], ['id', 'run', 'command'])}
         WHERE t.project_id = i.project_id AND t.id = i.id
         RETURNING t.id, ${[...UNDER_WAY, ...stageTargets.item].map((name) => `t.${name}`).join(', ')}
       )
       SELECT * FROM going`,
      [tx.project, parts.map(({ id }) => id), parts.map(({ next_id }) => next_id), commands, offlineSeconds],
    );
  }

  /** These parts, which wait, wait for a slot for what follows. */
  async waitForNext(tx: Tx, parts: readonly Standing[]): Promise<void> {
    await tx.query(
      `UPDATE stage_device t SET step = t.step + 1, target_run_id = i.run, command_id = NULL, attempts = 0, asks = 0, waits_for = '', ask_at = NULL,
         contact_by = NULL, outcome = NULL
       FROM ${batch(['$2::uuid[]', '$3::uuid[]'], ['id', 'run'])} WHERE t.project_id = i.project_id AND t.id = i.id`,
      [tx.project, parts.map(({ id }) => id), parts.map(({ next_id }) => next_id)],
    );
  }

  /** The target runs of these parts that have not ended. */
  async openTargetRuns(tx: Tx, parts: readonly { id: string }[]): Promise<string[]> {
    const rows = await tx.query<{ id: string }>(
      `SELECT r.id FROM ${batch(['$2::uuid[]'], ['stage_device_id'])} JOIN target_run r USING (project_id, stage_device_id)
       WHERE r.state IN ('pending', 'queued', 'processing', 'dispatched', 'running')`,
      [tx.project, parts.map(({ id }) => id)],
    );
    return rows.map((row) => row.id);
  }
}
