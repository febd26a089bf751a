import {
  Pipeline,
  pipelines,
  PIPELINE_TIMEOUT_SECONDS,
  type PIPELINE_ORDERINGS,
  type RpcRequest,
  type RpcResponse,
} from '@muster/contracts';
import { Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { documentOf } from './definition.document.js';
import { PipelineChanges } from './pipeline.changes.js';
import { PipelineStore, type PipelineRow } from './pipeline.store.js';
import { TargetStore } from './target.store.js';

const contracts = pipelines.pipeline;
type Contracts = typeof contracts;
type Request<M extends keyof Contracts> = RpcRequest<Contracts[M]>;

const DEFAULTS = {
  description: '',
  is_active: true,
  is_default: false,
  timeout_seconds: PIPELINE_TIMEOUT_SECONDS,
};

/** SQL of the orders of a list; ids tell those of the same name apart. */
const ORDERS: Record<(typeof PIPELINE_ORDERINGS)[number], string> = {
  name: 'name, id',
  '-name': 'name DESC, id DESC',
};

const toPipeline = (row: PipelineRow): Pipeline => documentOf<Pipeline>(Pipeline, row);

/** Questions about pipelines, and what users do to them. */
@Controller()
export class PipelinesRpc {
  constructor(
    private readonly dataSource: DataSource,
    private readonly store: PipelineStore,
    private readonly targets: TargetStore,
    private readonly changes: PipelineChanges,
  ) {}

  @Rpc(contracts.create)
  async create({ definition, by, ...key }: Request<'create'>): Promise<Pipeline> {
    const row = { ...DEFAULTS, ...definition, ...key };
    return toPipeline(await this.store.insertOnce(this.dataSource.manager, row, by));
  }

  @Rpc(contracts.get)
  async get(key: Request<'get'>): Promise<Pipeline> {
    return toPipeline(await this.store.get(key));
  }

  @Rpc(contracts.list)
  async list({ limit, offset, ordering, ...filter }: Request<'list'>): Promise<RpcResponse<Contracts['list']>> {
    const { count, rows } = await this.store.page(filter, { limit, offset }, ordering && ORDERS[ordering]);
    return { count, results: rows.map(toPipeline) };
  }

  @Rpc(contracts.change)
  change({ change, by, ...key }: Request<'change'>): Promise<Pipeline> {
    return this.changes.of(key.project_id, key.id, async (manager) =>
      toPipeline(await this.store.update(manager, await this.store.get(key, manager), change, by)),
    );
  }

  @Rpc(contracts.delete)
  delete(key: Request<'delete'>): Promise<Pipeline> {
    return this.changes.of(key.project_id, key.id, async (manager) => {
      const pipeline = await this.store.get(key, manager);
      await this.store.refuseOpenRun(manager, key.project_id, key.id);
      await this.targets.giveUpAll(manager, key.project_id, key.id);
      await this.store.delete(manager, pipeline);
      return toPipeline(pipeline);
    });
  }
}
