import {
  NewPipelineOperation,
  PipelineOperation,
  PipelineOperationChange,
  pipelines,
  type JsonObject,
} from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Controller, Delete, Get, Post, Put, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Caller, type Principal } from '../../auth/principal.js';
import { enveloped } from '../../common/envelope.js';
import { JsonBody, PathId, PathIds, QueryParameters } from '../../common/input.js';
import { offsetOf, offsetPage } from '../../common/offset.page.js';
import { Creating, Idempotency, type CreateRequest } from '../../idempotency/idempotency.js';
import { ListPipelineOperations, PipelineOperationPage, type OperationPath } from './pipelines.dto.js';
import { Answers } from './pipelines.endpoint.js';
import { changeIn, PipelineOperationPut } from './pipelines.puts.js';

const { operation: contracts } = pipelines;

const keyOf = ({ project }: Principal, { operationlist_id, operation_id }: OperationPath) => ({
  project_id: project,
  operation_list_id: operationlist_id,
  id: operation_id,
});

/** `/api/pipelines/v0/operationlists/{ol}/operations` (interfaces §2). */
@Controller('api/pipelines/v0/operationlists/:operationlist_id/operations')
export class PipelineOperationsController {
  constructor(
    private readonly rpc: RpcClient,
    private readonly idempotency: Idempotency,
  ) {}

  @Post()
  @Answers({
    access: 'write',
    summary: 'Add an operation at the end of an operation list',
    body: NewPipelineOperation,
    creates: true,
    content: PipelineOperation,
    refuses: [404],
  })
  create(
    @Caller() { project, actorNumber }: Principal,
    @Creating() creating: CreateRequest,
    @PathId('operationlist_id') operation_list_id: string,
    @JsonBody(NewPipelineOperation) definition: NewPipelineOperation,
  ) {
    return this.idempotency.create(creating, async (id) => {
      const key = { project_id: project, operation_list_id, id };
      return enveloped(await this.rpc.call(contracts.create, { ...key, definition, by: actorNumber }));
    });
  }

  @Get()
  @Answers({
    access: 'read',
    summary: 'List the operations of an operation list in the order of their creation',
    query: ListPipelineOperations,
    content: PipelineOperationPage,
    refuses: [404],
  })
  async list(
    @Caller() { project }: Principal,
    @PathId('operationlist_id') operation_list_id: string,
    @QueryParameters(ListPipelineOperations) { operation_type, ...rest }: ListPipelineOperations,
    @Req() { url }: FastifyRequest,
  ) {
    const place = offsetOf(rest);
    const page = await this.rpc.call(contracts.list, {
      ...{ project_id: project, operation_list_id },
      ...(operation_type !== undefined && { operation_type }),
      ...place,
    });
    return enveloped(offsetPage(url, place, page));
  }

  @Get(':operation_id')
  @Answers({ access: 'read', summary: 'Show an operation', content: PipelineOperation, refuses: [404] })
  async show(@Caller() caller: Principal, @PathIds() path: OperationPath) {
    return enveloped(await this.rpc.call(contracts.get, keyOf(caller, path)));
  }

  @Put(':operation_id')
  @Answers({
    access: 'write',
    summary: 'Change an operation; what is not named stays',
    body: PipelineOperationPut,
    content: PipelineOperation,
    refuses: [404],
  })
  async change(
    @Caller() caller: Principal,
    @PathIds() path: OperationPath,
    @JsonBody(PipelineOperationPut) body: JsonObject,
  ) {
    const asked = { ...keyOf(caller, path), change: changeIn(PipelineOperationChange, body), by: caller.actorNumber };
    return enveloped(await this.rpc.call(contracts.change, asked));
  }

  @Delete(':operation_id')
  @Answers({ access: 'write', summary: 'Delete an operation', content: PipelineOperation, refuses: [404] })
  async delete(@Caller() caller: Principal, @PathIds() path: OperationPath) {
    return enveloped(await this.rpc.call(contracts.delete, keyOf(caller, path)));
  }
}
