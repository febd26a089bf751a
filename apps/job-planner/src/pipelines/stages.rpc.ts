import {
  DomainError,
  invalidField,
  MAX_STAGES,
  pipelines,
  rolloutFaults,
  Stage,
  STAGE_TIMEOUT_SECONDS,
  type Rollout,
  type RpcRequest,
  type RpcResponse,
} from '@muster/contracts';
import { Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { checkWaveQueries } from '../rollout/wave.queries.js';
import { documentOf } from './definition.document.js';
import { checkRoom } from './definition.rules.js';
import { PipelineChanges } from './pipeline.changes.js';
import { PipelineStore } from './pipeline.store.js';
import type { StageEntity } from './stage.entity.js';
import { StageStore } from './stage.store.js';
import { TargetDevices } from './target.devices.js';

const contracts = pipelines.stage;
type Contracts = typeof contracts;
type Request<M extends keyof Contracts> = RpcRequest<Contracts[M]>;

const DEFAULTS = {
  description: '',
  timeout_seconds: STAGE_TIMEOUT_SECONDS,
  promotion: 'auto',
  on_failure: 'stop',
  rollout: {},
};

/** @throws DomainError `invalid` naming the field. */
function checkRollout(rollout: Rollout = {}): void {
  const errors = rolloutFaults(rollout, Date.now(), {
    at: 'rollout.',
    noWayBack: 'a stage has no way back: pause or cancel',
    noMembership: 'a stage works on the devices that it found at its start',
  });
  const [fault] = errors;
  if (fault) throw new DomainError('invalid', `${fault.field}: ${fault.message}`, { errors });
}

const toStage = (row: StageEntity): Stage => documentOf<Stage>(Stage, row);

const ofPipeline = ({ project_id, pipeline_id }: { project_id: string; pipeline_id: string }) => ({
  project_id,
  pipeline_id,
});

/** Questions about the stages of pipelines, and what users do to them. */
@Controller()
export class StagesRpc {
  constructor(
    private readonly pipelines: PipelineStore,
    private readonly store: StageStore,
    private readonly changes: PipelineChanges,
    private readonly devices: TargetDevices,
  ) {}

  @Rpc(contracts.create)
  async create({ definition, by, ...key }: Request<'create'>): Promise<Stage> {
    checkRollout(definition.rollout);
    // Asked again: a group may be gone since, but the stage is there.
    if (!(await this.store.find(key))) await this.checkWaves(key.project_id, definition.rollout);
    return this.changes.of(key.project_id, key.pipeline_id, async (manager) => {
      const known = await this.store.find(key, manager);
      if (known) return toStage(known);
      const count = await this.store.count(ofPipeline(key), manager);
      checkRoom('stages', 'pipeline', count, MAX_STAGES);
      return toStage(await this.store.insert(manager, { ...DEFAULTS, ...definition, ...key, order: count + 1 }, by));
    });
  }

  @Rpc(contracts.get)
  async get(key: Request<'get'>): Promise<Stage> {
    return toStage(await this.store.get(key));
  }

  @Rpc(contracts.list)
  async list({ limit, offset, ...filter }: Request<'list'>): Promise<RpcResponse<Contracts['list']>> {
    await this.pipelines.get({ project_id: filter.project_id, id: filter.pipeline_id });
    const { count, rows } = await this.store.page(filter, { limit, offset });
    return { count, results: rows.map(toStage) };
  }

  @Rpc(contracts.change)
  async change({ change: { order, ...fields }, by, ...key }: Request<'change'>): Promise<Stage> {
    checkRollout(fields.rollout);
    await this.checkWaves(key.project_id, fields.rollout);
    return this.changes.ofPart(this.store, key, async (manager, stage) => {
      if (order !== undefined) await this.move(manager, stage, order);
      return toStage(await this.store.update(manager, stage, fields, by));
    });
  }

  @Rpc(contracts.delete)
  delete(key: Request<'delete'>): Promise<Stage> {
    return this.changes.ofPart(this.store, key, async (manager, stage) => {
      await this.store.delete(manager, stage);
      await this.store.closeGap(manager, stage);
      return toStage(stage);
    });
  }

  private checkWaves(project_id: string, rollout: Rollout = {}): Promise<void> {
    return checkWaveQueries(rollout, (query) => this.devices.mayFit(project_id, query));
  }

  private async move(manager: EntityManager, stage: StageEntity, to: number): Promise<void> {
    const count = await this.store.count(ofPipeline(stage), manager);
    if (to > count) throw invalidField('order', `the pipeline has ${count} stages`);
    await this.store.move(manager, stage, to);
  }
}
