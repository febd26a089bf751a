import {
  DomainError,
  PipelineRun,
  StageRunOperation,
  type pipelineRuns,
  type RpcRequest,
  type RpcResponse,
  type StageRun,
  type TargetRun,
  type TargetRunCommand,
} from '@muster/contracts';
import { fittingRows } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource, In, type FindOptionsOrder } from 'typeorm';
import { documentOf } from '../pipelines/definition.document.js';
import { progressOf, WATCHED, type Watched } from '../rollout/progress.js';
import { RolloutEntity } from '../rollout/rollout.entity.js';
import { StageRunOperationEntity } from '../stage-runs/stage-run-operation.entity.js';
import { StageRunEntity } from '../stage-runs/stage-run.entity.js';
import { TargetRunEntity } from '../target-runs/target-run.entity.js';
import { PipelineRunEntity } from './pipeline-run.entity.js';
import { runProgressOf, type RunTally } from './run.progress.js';
import { RunStore } from './run.store.js';

type Contracts = typeof pipelineRuns;
type Request<M extends keyof Contracts> = RpcRequest<Contracts[M]>;
type Response<M extends keyof Contracts> = RpcResponse<Contracts[M]>;

/** Shows runs and what belongs to them. */
@Injectable()
export class RunRead {
  constructor(
    private readonly dataSource: DataSource,
    private readonly runStore: RunStore,
  ) {}

  async run({ project_id, id, pipeline_id }: Request<'getRun'>): Promise<PipelineRun> {
    const where = { project_id, id, ...(pipeline_id !== undefined && { pipeline_id }) };
    const row = await this.dataSource.getRepository(PipelineRunEntity).findOneBy(where);
    if (!row) throw new DomainError('not_found', `no run ${id}`);
    return (await this.withRunProgress(project_id, [row]))[0]!;
  }

  async runs(request: Request<'listRuns'>): Promise<Response<'listRuns'>> {
    const { project_id, pipeline_id, pipeline_name, status, ordering, limit, offset } = request;
    const where = {
      project_id,
      ...(pipeline_id !== undefined && { pipeline_id }),
      ...(pipeline_name !== undefined && { pipeline_name }),
      ...(status && { state: status }),
    };
    const [rows, count] = await this.dataSource.getRepository(PipelineRunEntity).findAndCount({
      where,
      order: { ...(ordering && orderOf(ordering)), created_at: 'DESC', id: 'DESC' },
      take: limit,
      skip: offset,
    });
    return { count, results: await this.withRunProgress(project_id, rows) };
  }

  private async withRunProgress(project_id: string, rows: readonly PipelineRunEntity[]): Promise<PipelineRun[]> {
    const ids = rows.map(({ id }) => id);
    const tallies = await this.runStore.tallies(this.dataSource, project_id, ids);
    const byId = new Map(tallies.map((tally) => [tally.id, tally]));
    return rows.map((row) => toRun(row, byId.get(row.id)));
  }

  async stageRun({ project_id, pipeline_run_id, id }: Request<'getStageRun'>): Promise<StageRun> {
    const row = await this.dataSource.getRepository(StageRunEntity).findOneBy({ project_id, pipeline_run_id, id });
    if (!row) throw new DomainError('not_found', `no stage run ${id}`);
    return (await this.withProgress(project_id, [row]))[0]!;
  }

  async stageRuns({
    project_id,
    pipeline_run_id,
    status,
    limit,
    offset,
  }: Request<'listStageRuns'>): Promise<Response<'listStageRuns'>> {
    await this.run({ project_id, id: pipeline_run_id });
    const count = await this.dataSource
      .getRepository(StageRunEntity)
      .countBy({ project_id, pipeline_run_id, ...(status && { state: status }) });
    const rows = await this.dataSource.query<StageRunEntity[]>(
      fittingRows(
        `SELECT * FROM stage_run WHERE project_id = $1 AND pipeline_run_id = $2 AND state = coalesce($3, state)
         ORDER BY place LIMIT $4 OFFSET $5`,
        'place',
      ),
      [project_id, pipeline_run_id, status ?? null, limit, offset],
    );
    return { count, results: await this.withProgress(project_id, rows) };
  }

  private async withProgress(project_id: string, rows: readonly StageRunEntity[]): Promise<StageRun[]> {
    const rollouts = await this.dataSource
      .getRepository(RolloutEntity)
      .find({ where: { project_id, id: In(rows.map(({ id }) => id)) }, select: WATCHED });
    const byId = new Map(rollouts.map((rollout) => [rollout.id, rollout]));
    return rows.map((row) => toStageRun(row, byId.get(row.id)));
  }

  async operation({ project_id, stage_run_id, id }: Request<'getStageRunOperation'>): Promise<StageRunOperation> {
    const row = await this.dataSource
      .getRepository(StageRunOperationEntity)
      .findOneBy({ project_id, stage_run_id, id });
    if (!row) throw new DomainError('not_found', `no operation ${id}`);
    return documentOf<StageRunOperation>(StageRunOperation, row);
  }

  async operations({
    project_id,
    stage_run_id,
    limit,
    offset,
  }: Request<'listStageRunOperations'>): Promise<Response<'listStageRunOperations'>> {
    await this.existing(project_id, stage_run_id);
    const [rows, count] = await this.dataSource.getRepository(StageRunOperationEntity).findAndCount({
      where: { project_id, stage_run_id },
      order: { step: 'ASC' },
      take: limit,
      skip: offset,
    });
    return { count, results: rows.map((row) => documentOf<StageRunOperation>(StageRunOperation, row)) };
  }

  async targetRun({ project_id, stage_run_id, id }: Request<'getTargetRun'>): Promise<TargetRun> {
    return toTargetRun(await this.targetRunRow(project_id, stage_run_id, id));
  }

  private async targetRunRow(project_id: string, stage_run_id: string, id: string): Promise<TargetRunEntity> {
    await this.withTargetRuns(project_id, stage_run_id);
    const row = await this.dataSource.getRepository(TargetRunEntity).findOneBy({ project_id, stage_run_id, id });
    if (!row) throw new DomainError('not_found', `no target run ${id}`);
    return row;
  }

  async targetRuns(request: Request<'listTargetRuns'>): Promise<Response<'listTargetRuns'>> {
    const { project_id, stage_run_id, status, stage_run_operation_id, ordering, limit, offset } = request;
    await this.withTargetRuns(project_id, stage_run_id);
    const values: unknown[] = [project_id, stage_run_id];
    const filter = [
      't.project_id = $1 AND t.stage_run_id = $2',
      ...(status ? [`t.state = $${values.push(status)}`] : []),
      ...(stage_run_operation_id ? [`t.stage_run_operation_id = $${values.push(stage_run_operation_id)}`] : []),
    ].join(' AND ');
    const order = `${ordering ? `state ${ordering === 'status' ? 'ASC' : 'DESC'}, ` : ''}stage_device_id, step`;
    const rows = await this.dataSource.query<TargetRunEntity[]>(
      fittingRows(
        `SELECT t.* FROM target_run t WHERE ${filter} ORDER BY ${order} LIMIT $${values.length + 1} OFFSET $${values.length + 2}`,
        order,
      ),
      [...values, limit, offset],
    );
    const [counted] = await this.dataSource.query<{ count: number }[]>(
      `SELECT count(*)::integer AS count FROM target_run t WHERE ${filter}`,
      values,
    );
    return { count: counted!.count, results: rows.map(toTargetRun) };
  }

  /** The target runs of a device in a stage run, in the order of its operations. */
  async ofDevice(project_id: string, stage_run_id: string, device_id: string): Promise<TargetRun[]> {
    const rows = await this.runStore.targetRunsOf(project_id, stage_run_id, device_id);
    return rows.map(toTargetRun);
  }

  async command({
    project_id,
    stage_run_id,
    target_run_id,
  }: Request<'getTargetRunCommand'>): Promise<TargetRunCommand> {
    const row = await this.targetRunRow(project_id, stage_run_id, target_run_id);
    if (row.command_id === null) throw new DomainError('not_found', `target run ${target_run_id} has no command yet`);
    const operation = await this.operation({ project_id, stage_run_id, id: row.stage_run_operation_id });
    return {
      target_run_id,
      operation_id: operation.id,
      command: operation.operation_type,
      command_type: 'DEVICE',
      device_type: 'all',
      device_id: row.device_id,
      schedule: 'IMMEDIATE',
      args: operation.args,
      request_id: row.command_id,
      request_status: row.command_status.toLowerCase(),
      request_status_reason: row.reason,
    };
  }

  private async existing(project_id: string, id: string): Promise<StageRunEntity> {
    const row = await this.dataSource.getRepository(StageRunEntity).findOneBy({ project_id, id });
    if (!row) throw new DomainError('not_found', `no stage run ${id}`);
    return row;
  }

  /** @throws DomainError `not_found` where there is no such stage run, or its target runs were deleted. */
  private async withTargetRuns(project_id: string, id: string): Promise<void> {
    const { target_runs_deleted_at: at } = await this.existing(project_id, id);
    if (at)
      throw new DomainError(
        'not_found',
        `the target runs of the stage run were deleted on ${at.toISOString().slice(0, 10)}`,
      );
  }
}

/** The columns that runs are ordered by, by the words for them. */
const COLUMNS = {
  run_number: 'run_number',
  status: 'state',
  started_at: 'started_at',
  ended_at: 'ended_at',
  pipeline__name: 'pipeline_name',
} as const;

function orderOf(ordering: NonNullable<Request<'listRuns'>['ordering']>): FindOptionsOrder<PipelineRunEntity> {
  const field = ordering.replace('-', '') as keyof typeof COLUMNS;
  return { [COLUMNS[field]]: { direction: ordering.startsWith('-') ? 'DESC' : 'ASC', nulls: 'LAST' } };
}

const iso = (time: Date | null) => time?.toISOString() ?? null;

/** What the documents of runs, stage runs and target runs share. */
const authorOf = (
  row: Pick<PipelineRunEntity, 'created_by' | 'updated_by' | 'created_at' | 'updated_at' | 'started_at' | 'ended_at'>,
) => ({
  created_by: row.created_by,
  updated_by: row.updated_by,
  created_at: row.created_at.toISOString(),
  updated_at: row.updated_at.toISOString(),
  started_at: iso(row.started_at),
  ended_at: iso(row.ended_at),
});

const toRun = (row: PipelineRunEntity, tally: RunTally | undefined): PipelineRun => ({
  id: row.id,
  run_number: row.run_number,
  pipeline_id: row.pipeline_id,
  pipeline_name: row.pipeline_name,
  status: row.state,
  status_meta: { reason: row.reason, waits: row.waits },
  ...authorOf(row),
  progress: runProgressOf(row.state, tally),
});

const toStageRun = (row: StageRunEntity, rollout: Watched | undefined): StageRun => ({
  id: row.id,
  pipeline_id: row.pipeline_id,
  pipeline_run_id: row.pipeline_run_id,
  stage_id: row.stage_id,
  stage_meta: row.meta,
  status: row.state,
  reason: row.reason,
  progress: rollout ? progressOf(rollout, Date.now()) : null,
  ...(row.target_runs_deleted_at && { target_runs_deleted_at: row.target_runs_deleted_at.toISOString() }),
  ...authorOf(row),
});

const toTargetRun = (row: TargetRunEntity): TargetRun => ({
  id: row.id,
  target_id: row.target_id,
  device_id: row.device_id,
  device_alias: row.device_alias,
  stage_run_id: row.stage_run_id,
  stage_run_operation_id: row.stage_run_operation_id,
  command_id: row.command_id,
  command_status: row.command_status,
  command_meta: { reason: row.reason, code: row.code, attempts: row.attempts },
  status: row.state,
  ...authorOf(row),
});
