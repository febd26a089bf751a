import { operations, type RpcRequest, type RpcResponse } from '@muster/contracts';
import { Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { OperationHistory } from './operation.history.js';

type Contracts = typeof operations;

/** What operations add to the pictures that are put together of several services. */
@Controller()
export class OperationHistoryRpc {
  constructor(private readonly history: OperationHistory) {}

  @Rpc(operations.operationTimeline)
  async operationTimeline(
    request: RpcRequest<Contracts['operationTimeline']>,
  ): Promise<RpcResponse<Contracts['operationTimeline']>> {
    const { project_id, device_id, before, limit } = request;
    return { entries: await this.history.timeline(project_id, device_id, before, limit) };
  }

  @Rpc(operations.waitingOperations)
  async waitingOperations(
    request: RpcRequest<Contracts['waitingOperations']>,
  ): Promise<RpcResponse<Contracts['waitingOperations']>> {
    const { project_id, after, limit } = request;
    return { waiting: await this.history.waiting(project_id, after, limit) };
  }
}
