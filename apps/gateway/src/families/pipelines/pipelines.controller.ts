import { NewPipeline, PipelineChange, pipelines, type JsonObject } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Controller, Delete, Get, Post, Put, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Caller, type Principal } from '../../auth/principal.js';
import { enveloped } from '../../common/envelope.js';
import { JsonBody, PathId, QueryParameters } from '../../common/input.js';
import { offsetOf, offsetPage } from '../../common/offset.page.js';
import { Creating, Idempotency, type CreateRequest } from '../../idempotency/idempotency.js';
import { ListPipelines, Pipeline, PipelinePage, toPipeline } from './pipelines.dto.js';
import { Answers } from './pipelines.endpoint.js';
import { changeIn, PipelinePut } from './pipelines.puts.js';

const { pipeline: contracts } = pipelines;

/** `/api/pipelines/v0/pipelines` (seed 000, interfaces §2). */
@Controller('api/pipelines/v0/pipelines')
export class PipelinesController {
  constructor(
    private readonly rpc: RpcClient,
    private readonly idempotency: Idempotency,
  ) {}

  @Post()
  @Answers({ access: 'write', summary: 'Create a pipeline', body: NewPipeline, creates: true, content: Pipeline })
  create(
    @Caller() { project, projectUuid, actorNumber }: Principal,
    @Creating() creating: CreateRequest,
    @JsonBody(NewPipeline) definition: NewPipeline,
  ) {
    return this.idempotency.create(creating, async (id) => {
      const made = await this.rpc.call(contracts.create, { project_id: project, id, definition, by: actorNumber });
      return enveloped(toPipeline(made, projectUuid));
    });
  }

  @Get()
  @Answers({ access: 'read', summary: 'List pipelines', query: ListPipelines, content: PipelinePage })
  async list(
    @Caller() { project, projectUuid }: Principal,
    @QueryParameters(ListPipelines) { name, default: is_default, ordering, ...rest }: ListPipelines,
    @Req() { url }: FastifyRequest,
  ) {
    const place = offsetOf(rest);
    const { count, results } = await this.rpc.call(contracts.list, {
      project_id: project,
      ...(name !== undefined && { name }),
      ...(is_default !== undefined && { is_default }),
      ...(ordering !== undefined && { ordering }),
      ...place,
    });
    return enveloped(offsetPage(url, place, { count, results: results.map((one) => toPipeline(one, projectUuid)) }));
  }

  @Get(':pipeline_id')
  @Answers({ access: 'read', summary: 'Show a pipeline', content: Pipeline, refuses: [404] })
  async show(@Caller() { project, projectUuid }: Principal, @PathId('pipeline_id') id: string) {
    return enveloped(toPipeline(await this.rpc.call(contracts.get, { project_id: project, id }), projectUuid));
  }

  @Put(':pipeline_id')
  @Answers({
    access: 'write',
    summary: 'Change a pipeline; what is not named stays',
    body: PipelinePut,
    content: Pipeline,
    refuses: [404],
  })
  async change(
    @Caller() { project, projectUuid, actorNumber }: Principal,
    @PathId('pipeline_id') id: string,
    @JsonBody(PipelinePut) body: JsonObject,
  ) {
    const asked = { project_id: project, id, change: changeIn(PipelineChange, body), by: actorNumber };
    const changed = await this.rpc.call(contracts.change, asked);
    return enveloped(toPipeline(changed, projectUuid));
  }

  @Delete(':pipeline_id')
  @Answers({
    access: 'write',
    summary: 'Delete a pipeline with all that belongs to it but its runs, none of which may be under way',
    content: Pipeline,
    refuses: [404, 409],
  })
  async delete(@Caller() { project, projectUuid }: Principal, @PathId('pipeline_id') id: string) {
    return enveloped(toPipeline(await this.rpc.call(contracts.delete, { project_id: project, id }), projectUuid));
  }
}
