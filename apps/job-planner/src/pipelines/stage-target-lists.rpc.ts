import { pipelines, type RpcRequest, type RpcResponse, type TargetList } from '@muster/contracts';
import { Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { PipelineChanges } from './pipeline.changes.js';
import { StageTargetListStore } from './stage-target-list.store.js';
import { StageStore } from './stage.store.js';
import { toTargetList } from './target-list.document.js';
import { TargetListStore } from './target-list.store.js';

const contracts = pipelines.stageTargetList;
type Contracts = typeof contracts;
type Request<M extends keyof Contracts> = RpcRequest<Contracts[M]>;

const stageKey = ({ project_id, stage_id }: { project_id: string; stage_id: string }) => ({ project_id, id: stage_id });

/** Which target lists a stage uses. */
@Controller()
export class StageTargetListsRpc {
  constructor(
    private readonly stages: StageStore,
    private readonly lists: TargetListStore,
    private readonly store: StageTargetListStore,
    private readonly changes: PipelineChanges,
  ) {}

  @Rpc(contracts.link)
  link({ target_list_id, ...ofStage }: Request<'link'>): Promise<TargetList> {
    return this.changes.ofPart(this.stages, stageKey(ofStage), async (manager, stage) => {
      const { project_id, pipeline_id } = stage;
      const list = await this.lists.get({ project_id, pipeline_id, id: target_list_id }, manager);
      await this.store.link(manager, stage, list);
      return toTargetList(list);
    });
  }

  @Rpc(contracts.unlink)
  unlink({ target_list_id, ...ofStage }: Request<'unlink'>): Promise<TargetList> {
    return this.changes.ofPart(this.stages, stageKey(ofStage), async (manager, stage) => {
      const list = await this.store.get({ ...ofStage, id: target_list_id }, manager);
      await this.store.unlink(manager, stage, list);
      return toTargetList(list);
    });
  }

  @Rpc(contracts.list)
  async list({ limit, offset, ...filter }: Request<'list'>): Promise<RpcResponse<Contracts['list']>> {
    await this.stages.get(stageKey(filter));
    const { count, rows } = await this.store.page(filter, { limit, offset });
    return { count, results: rows.map(toTargetList) };
  }
}
