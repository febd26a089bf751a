import { MAX_TARGET_LISTS, pipelines, TargetList, type RpcRequest, type RpcResponse } from '@muster/contracts';
import { Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { checkKept, checkRoom } from './definition.rules.js';
import { PipelineChanges } from './pipeline.changes.js';
import { PipelineStore } from './pipeline.store.js';
import { toTargetList } from './target-list.document.js';
import { TargetListStore } from './target-list.store.js';
import { TargetStore } from './target.store.js';

const contracts = pipelines.targetList;
type Contracts = typeof contracts;
type Request<M extends keyof Contracts> = RpcRequest<Contracts[M]>;

/** Questions about the target lists of pipelines, and what users do to them. */
@Controller()
export class TargetListsRpc {
  constructor(
    private readonly pipelines: PipelineStore,
    private readonly store: TargetListStore,
    private readonly targets: TargetStore,
    private readonly changes: PipelineChanges,
  ) {}

  @Rpc(contracts.create)
  create({ definition, by, ...key }: Request<'create'>): Promise<TargetList> {
    const { project_id, pipeline_id } = key;
    return this.changes.of(project_id, pipeline_id, async (manager) => {
      const known = await this.store.find(key, manager);
      if (known) return toTargetList(known);
      const count = await this.store.count({ project_id, pipeline_id }, manager);
      checkRoom('targetlists', 'pipeline', count, MAX_TARGET_LISTS);
      return toTargetList(await this.store.insert(manager, { ...definition, ...key }, by));
    });
  }

  @Rpc(contracts.get)
  async get(key: Request<'get'>): Promise<TargetList> {
    return toTargetList(await this.store.get(key));
  }

  @Rpc(contracts.list)
  async list({ limit, offset, ...filter }: Request<'list'>): Promise<RpcResponse<Contracts['list']>> {
    await this.pipelines.get({ project_id: filter.project_id, id: filter.pipeline_id });
    const { count, rows } = await this.store.page(filter, { limit, offset });
    return { count, results: rows.map(toTargetList) };
  }

  @Rpc(contracts.change)
  change({ change, by, ...key }: Request<'change'>): Promise<TargetList> {
    const { target_list_type, ...rest } = change;
    return this.changes.ofPart(this.store, key, async (manager, list) => {
      checkKept(list, { target_list_type });
      return toTargetList(await this.store.update(manager, list, rest, by));
    });
  }

  @Rpc(contracts.delete)
  delete(key: Request<'delete'>): Promise<TargetList> {
    return this.changes.ofPart(this.store, key, async (manager, list) => {
      await this.store.refuseNeeded(manager, list);
      await this.targets.giveUp(manager, list);
      await this.store.delete(manager, list);
      return toTargetList(list);
    });
  }
}
