import { waitings, type RpcRequest, type RpcResponse, type WaitingRpc as Contract } from '@muster/contracts';
import { pageOf, Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { WaitingStore } from './waiting.store.js';

/** What has not ended, why it waits, and until when. */
@Controller()
export class WaitingRpc {
  constructor(private readonly store: WaitingStore) {}

  @Rpc(waitings['job-planner'])
  async waiting(request: RpcRequest<Contract>): Promise<RpcResponse<Contract>> {
    return pageOf(await this.store.page({ ...request, limit: request.limit + 1 }), request.limit);
  }
}
