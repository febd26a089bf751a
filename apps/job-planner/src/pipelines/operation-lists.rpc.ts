import { MAX_OPERATION_LISTS, OperationList, pipelines, type RpcRequest, type RpcResponse } from '@muster/contracts';
import { Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { documentOf } from './definition.document.js';
import { checkRoom } from './definition.rules.js';
import type { OperationListEntity } from './operation-list.entity.js';
import { OperationListStore } from './operation-list.store.js';
import { PipelineChanges } from './pipeline.changes.js';
import { StageStore } from './stage.store.js';

const contracts = pipelines.operationList;
type Contracts = typeof contracts;
type Request<M extends keyof Contracts> = RpcRequest<Contracts[M]>;

const toOperationList = (row: OperationListEntity): OperationList => documentOf<OperationList>(OperationList, row);

/** Questions about the operation lists of stages, and what users do to them. */
@Controller()
export class OperationListsRpc {
  constructor(
    private readonly stages: StageStore,
    private readonly store: OperationListStore,
    private readonly changes: PipelineChanges,
  ) {}

  @Rpc(contracts.create)
  create({ definition, by, ...key }: Request<'create'>): Promise<OperationList> {
    const { project_id, stage_id } = key;
    return this.changes.ofPart(this.stages, { project_id, id: stage_id }, async (manager, { pipeline_id }) => {
      const known = await this.store.find(key, manager);
      if (known) return toOperationList(known);
      const count = await this.store.count({ project_id, stage_id }, manager);
      checkRoom('operationlists', 'stage', count, MAX_OPERATION_LISTS);
      const row = { description: '', ...definition, ...key, pipeline_id };
      return toOperationList(await this.store.insert(manager, row, by));
    });
  }

  @Rpc(contracts.get)
  async get(key: Request<'get'>): Promise<OperationList> {
    return toOperationList(await this.store.get(key));
  }

  @Rpc(contracts.list)
  async list({ limit, offset, ...filter }: Request<'list'>): Promise<RpcResponse<Contracts['list']>> {
    await this.stages.get({ project_id: filter.project_id, id: filter.stage_id });
    const { count, rows } = await this.store.page(filter, { limit, offset });
    return { count, results: rows.map(toOperationList) };
  }

  @Rpc(contracts.change)
  change({ change, by, ...key }: Request<'change'>): Promise<OperationList> {
    return this.changes.ofPart(this.store, key, async (manager, list) =>
      toOperationList(await this.store.update(manager, list, change, by)),
    );
  }

  @Rpc(contracts.delete)
  delete(key: Request<'delete'>): Promise<OperationList> {
    return this.changes.ofPart(this.store, key, async (manager, list) => {
      await this.store.delete(manager, list);
      return toOperationList(list);
    });
  }
}
