import type { DeadLetter, DeadLetterRpcs, RpcRequest, RpcResponse } from '@muster/contracts';
import { Rpc } from '@muster/messaging';
import { Controller, type Type } from '@nestjs/common';
import { DeadLetters } from './dead-letters.js';

/** The controller that answers a service's questions of its dead letters: made for each service, as subjects are part of a method. */
export function deadLettersRpc(rpcs: DeadLetterRpcs): Type {
  @Controller()
  class DeadLettersRpc {
    constructor(private readonly letters: DeadLetters) {}

    @Rpc(rpcs.list)
    list(request: RpcRequest<DeadLetterRpcs['list']>): Promise<RpcResponse<DeadLetterRpcs['list']>> {
      const { project_id: project = null, subject, parked_before: parkedBefore, after, limit } = request;
      return this.letters.list({ project, subject, parkedBefore, after }, limit);
    }

    @Rpc(rpcs.get)
    get({ project_id, id }: RpcRequest<DeadLetterRpcs['get']>): Promise<DeadLetter> {
      return this.letters.find(project_id ?? null, id);
    }

    @Rpc(rpcs.replay)
    async replay({ project_id, id }: RpcRequest<DeadLetterRpcs['replay']>): Promise<Record<never, never>> {
      await this.letters.replay(project_id ?? null, id);
      return {};
    }

    @Rpc(rpcs.discard)
    async discard({ project_id, id }: RpcRequest<DeadLetterRpcs['discard']>): Promise<Record<never, never>> {
      await this.letters.discard(project_id ?? null, id);
      return {};
    }
  }
  return DeadLettersRpc;
}
