import { timelines, type RpcRequest, type RpcResponse, type TimelineRpc as Contract } from '@muster/contracts';
import { pageOf, Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { TimelineStore } from './timeline.store.js';

/** What jobs did with a device. */
@Controller()
export class TimelineRpc {
  constructor(private readonly store: TimelineStore) {}

  @Rpc(timelines['job-planner'])
  async timeline(request: RpcRequest<Contract>): Promise<RpcResponse<Contract>> {
    return pageOf(await this.store.page({ ...request, limit: request.limit + 1 }), request.limit);
  }
}
