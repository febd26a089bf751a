import {
  timelines,
  waitings,
  type RpcRequest,
  type RpcResponse,
  type TimelineRpc,
  type WaitingRpc,
} from '@muster/contracts';
import { pageOf, Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { CommandHistory } from './command.history.js';

/** What commands went through, and what those wait for that have not ended. */
@Controller()
export class CommandHistoryRpc {
  constructor(private readonly history: CommandHistory) {}

  @Rpc(timelines['command-dispatcher'])
  async timeline(request: RpcRequest<TimelineRpc>): Promise<RpcResponse<TimelineRpc>> {
    return pageOf(await this.history.timeline({ ...request, limit: request.limit + 1 }), request.limit);
  }

  @Rpc(waitings['command-dispatcher'])
  async waiting(request: RpcRequest<WaitingRpc>): Promise<RpcResponse<WaitingRpc>> {
    return pageOf(await this.history.waiting({ ...request, limit: request.limit + 1 }), request.limit);
  }
}
