import {
  commandDispatcher,
  COUNTED,
  DomainError,
  type CommandRequestDocument,
  type CommandStats,
  type RpcRequest,
  type RpcResponse,
} from '@muster/contracts';
import { Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { RequestCancel } from './request.cancel.js';
import { RequestCounts } from './request.counts.js';
import { RequestCreate } from './request.create.js';
import { toDocument } from './request.document.js';
import { UserRequestStore } from './user-request.store.js';

/** Most devices of a request that a list shows. */
const LISTED_DEVICES = 20;

/** Requests of users. */
@Controller()
export class RequestsRpc {
  constructor(
    private readonly creation: RequestCreate,
    private readonly cancellation: RequestCancel,
    private readonly counts: RequestCounts,
    private readonly store: UserRequestStore,
  ) {}

  @Rpc(commandDispatcher.createCommandRequest)
  createCommandRequest(
    asked: RpcRequest<typeof commandDispatcher.createCommandRequest>,
  ): Promise<CommandRequestDocument> {
    return this.creation.create(asked);
  }

  @Rpc(commandDispatcher.getCommandRequest)
  async getCommandRequest({
    project_id,
    id,
  }: RpcRequest<typeof commandDispatcher.getCommandRequest>): Promise<CommandRequestDocument> {
    const request = await this.store.find(project_id, id);
    if (!request) throw new DomainError('not_found', `command request ${id} does not exist`);
    return toDocument(request);
  }

  @Rpc(commandDispatcher.listCommandRequests)
  async listCommandRequests({
    project_id,
    limit,
    offset,
  }: RpcRequest<typeof commandDispatcher.listCommandRequests>): Promise<
    RpcResponse<typeof commandDispatcher.listCommandRequests>
  > {
    const [requests, count] = await Promise.all([
      // One more, which tells that there are more.
      this.store.list(project_id, limit, offset, LISTED_DEVICES + 1),
      this.store.count(project_id, offset + limit + COUNTED),
    ]);
    return { count, requests: requests.map((request) => toDocument(request, LISTED_DEVICES)) };
  }

  @Rpc(commandDispatcher.cancelCommandRequest)
  cancelCommandRequest({
    project_id,
    id,
    reason,
  }: RpcRequest<typeof commandDispatcher.cancelCommandRequest>): Promise<CommandRequestDocument> {
    return this.cancellation.cancel(project_id, id, reason);
  }

  @Rpc(commandDispatcher.commandStats)
  commandStats({ project_id, id }: RpcRequest<typeof commandDispatcher.commandStats>): Promise<CommandStats> {
    return this.counts.stats(project_id, id);
  }
}
