import { NewOperationList, OperationList, OperationListChange, pipelines, type JsonObject } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Controller, Delete, Get, Post, Put, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Caller, type Principal } from '../../auth/principal.js';
import { enveloped } from '../../common/envelope.js';
import { JsonBody, PathId, PathIds, QueryParameters } from '../../common/input.js';
import { offsetOf, offsetPage } from '../../common/offset.page.js';
import { Creating, Idempotency, type CreateRequest } from '../../idempotency/idempotency.js';
import { ListParts, OperationListPage, type OperationListPath } from './pipelines.dto.js';
import { Answers } from './pipelines.endpoint.js';
import { changeIn, OperationListPut } from './pipelines.puts.js';

const { operationList: contracts } = pipelines;

const keyOf = ({ project }: Principal, { stage_id, operationlist_id }: OperationListPath) => ({
  project_id: project,
  stage_id,
  id: operationlist_id,
});

/** `/api/pipelines/v0/stages/{s}/operationlists` (interfaces §2). */
@Controller('api/pipelines/v0/stages/:stage_id/operationlists')
export class OperationListsController {
  constructor(
    private readonly rpc: RpcClient,
    private readonly idempotency: Idempotency,
  ) {}

  @Post()
  @Answers({
    access: 'write',
    summary: 'Create an operation list of a stage',
    body: NewOperationList,
    creates: true,
    content: OperationList,
    refuses: [404],
  })
  create(
    @Caller() { project, actorNumber }: Principal,
    @Creating() creating: CreateRequest,
    @PathId('stage_id') stage_id: string,
    @JsonBody(NewOperationList) definition: NewOperationList,
  ) {
    return this.idempotency.create(creating, async (id) => {
      const key = { project_id: project, stage_id, id };
      return enveloped(await this.rpc.call(contracts.create, { ...key, definition, by: actorNumber }));
    });
  }

  @Get()
  @Answers({
    access: 'read',
    summary: 'List the operation lists of a stage',
    query: ListParts,
    content: OperationListPage,
    refuses: [404],
  })
  async list(
    @Caller() { project }: Principal,
    @PathId('stage_id') stage_id: string,
    @QueryParameters(ListParts) query: ListParts,
    @Req() { url }: FastifyRequest,
  ) {
    const place = offsetOf(query);
    const page = await this.rpc.call(contracts.list, { project_id: project, stage_id, ...place });
    return enveloped(offsetPage(url, place, page));
  }

  @Get(':operationlist_id')
  @Answers({ access: 'read', summary: 'Show an operation list', content: OperationList, refuses: [404] })
  async show(@Caller() caller: Principal, @PathIds() path: OperationListPath) {
    return enveloped(await this.rpc.call(contracts.get, keyOf(caller, path)));
  }

  @Put(':operationlist_id')
  @Answers({
    access: 'write',
    summary: 'Change an operation list; what is not named stays',
    body: OperationListPut,
    content: OperationList,
    refuses: [404],
  })
  async change(
    @Caller() caller: Principal,
    @PathIds() path: OperationListPath,
    @JsonBody(OperationListPut) body: JsonObject,
  ) {
    const asked = { ...keyOf(caller, path), change: changeIn(OperationListChange, body), by: caller.actorNumber };
    return enveloped(await this.rpc.call(contracts.change, asked));
  }

  @Delete(':operationlist_id')
  @Answers({
    access: 'write',
    summary: 'Delete an operation list with its operations',
    content: OperationList,
    refuses: [404],
  })
  async delete(@Caller() caller: Principal, @PathIds() path: OperationListPath) {
    return enveloped(await this.rpc.call(contracts.delete, keyOf(caller, path)));
  }
}
