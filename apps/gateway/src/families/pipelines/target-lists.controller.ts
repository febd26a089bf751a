import { NewTargetList, pipelines, TargetList, TargetListChange, type JsonObject } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Controller, Delete, Get, Post, Put, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Caller, type Principal } from '../../auth/principal.js';
import { enveloped } from '../../common/envelope.js';
import { JsonBody, PathIds, QueryParameters } from '../../common/input.js';
import { offsetOf, offsetPage } from '../../common/offset.page.js';
import { Creating, Idempotency, type CreateRequest } from '../../idempotency/idempotency.js';
import { ListParts, TargetListPage, type PipelinePath, type TargetListPath } from './pipelines.dto.js';
import { Answers } from './pipelines.endpoint.js';
import { changeIn, TargetListPut } from './pipelines.puts.js';

const { targetList: contracts } = pipelines;

const keyOf = ({ project }: Principal, { pipeline_id, targetlist_id }: TargetListPath) => ({
  project_id: project,
  pipeline_id,
  id: targetlist_id,
});

/** `/api/pipelines/v0/pipelines/{p}/targetlists` (interfaces §2). */
@Controller('api/pipelines/v0/pipelines/:pipeline_id/targetlists')
export class TargetListsController {
  constructor(
    private readonly rpc: RpcClient,
    private readonly idempotency: Idempotency,
  ) {}

  @Post()
  @Answers({
    access: 'write',
    summary: 'Create a target list',
    body: NewTargetList,
    creates: true,
    content: TargetList,
    refuses: [404],
  })
  create(
    @Caller() { project, actorNumber }: Principal,
    @Creating() creating: CreateRequest,
    @PathIds() { pipeline_id }: PipelinePath,
    @JsonBody(NewTargetList) definition: NewTargetList,
  ) {
    return this.idempotency.create(creating, async (id) => {
      const key = { project_id: project, pipeline_id, id };
      return enveloped(await this.rpc.call(contracts.create, { ...key, definition, by: actorNumber }));
    });
  }

  @Get()
  @Answers({
    access: 'read',
    summary: 'List the target lists of a pipeline',
    query: ListParts,
    content: TargetListPage,
    refuses: [404],
  })
  async list(
    @Caller() { project }: Principal,
    @PathIds() { pipeline_id }: PipelinePath,
    @QueryParameters(ListParts) query: ListParts,
    @Req() { url }: FastifyRequest,
  ) {
    const place = offsetOf(query);
    const page = await this.rpc.call(contracts.list, { project_id: project, pipeline_id, ...place });
    return enveloped(offsetPage(url, place, page));
  }

  @Get(':targetlist_id')
  @Answers({ access: 'read', summary: 'Show a target list', content: TargetList, refuses: [404] })
  async show(@Caller() caller: Principal, @PathIds() path: TargetListPath) {
    return enveloped(await this.rpc.call(contracts.get, keyOf(caller, path)));
  }

  @Put(':targetlist_id')
  @Answers({
    access: 'write',
    summary: 'Rename a target list',
    body: TargetListPut,
    content: TargetList,
    refuses: [404],
  })
  async change(
    @Caller() caller: Principal,
    @PathIds() path: TargetListPath,
    @JsonBody(TargetListPut) body: JsonObject,
  ) {
    const asked = { ...keyOf(caller, path), change: changeIn(TargetListChange, body), by: caller.actorNumber };
    return enveloped(await this.rpc.call(contracts.change, asked));
  }

  @Delete(':targetlist_id')
  @Answers({
    access: 'write',
    summary: 'Delete a target list that no run under way has yet to work on; stages that use it do so no longer',
    content: TargetList,
    refuses: [404, 409],
  })
  async delete(@Caller() caller: Principal, @PathIds() path: TargetListPath) {
    return enveloped(await this.rpc.call(contracts.delete, keyOf(caller, path)));
  }
}
