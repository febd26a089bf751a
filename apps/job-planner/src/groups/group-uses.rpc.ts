import { jobPlanner, type RpcRequest, type RpcResponse } from '@muster/contracts';
import { Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { GroupUsesStore } from './group-uses.store.js';

/** What device-state asks of groups of devices. */
@Controller()
export class GroupUsesRpc {
  constructor(private readonly uses: GroupUsesStore) {}

  @Rpc(jobPlanner.useOfGroup)
  async useOfGroup({
    project_id,
    id,
  }: RpcRequest<typeof jobPlanner.useOfGroup>): Promise<RpcResponse<typeof jobPlanner.useOfGroup>> {
    const [list] = await this.uses.targetList(project_id, id);
    const [stage] = list ? [] : await this.uses.stage(project_id, id);
    const [stageRun] = (list ?? stage) ? [] : await this.uses.stageRun(project_id, id);
    const [rollout] = (list ?? stage ?? stageRun) ? [] : await this.uses.rollout(project_id, id);
    return { use: list ?? stage ?? stageRun ?? rollout ?? null };
  }
}
