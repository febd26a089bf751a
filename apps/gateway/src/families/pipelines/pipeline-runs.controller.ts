import { pipelineRuns as contracts } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Controller, Delete, Get, Post, Put, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Caller, type Principal } from '../../auth/principal.js';
import { enveloped } from '../../common/envelope.js';
import { JsonBody, OptionalJsonBody, PathIds, QueryParameters } from '../../common/input.js';
import { offsetOf, offsetPage } from '../../common/offset.page.js';
import { Creating, Idempotency, type CreateRequest } from '../../idempotency/idempotency.js';
import { inEnterprise, type PipelinePath } from './pipelines.dto.js';
import { Answers } from './pipelines.endpoint.js';
import {
  Empty,
  ListAllRuns,
  ListRuns,
  PipelineRun,
  PipelineRunPage,
  PipelineRunPut,
  type PipelineRunPath,
} from './runs.dto.js';

const keyOf = ({ project }: Principal, { pipeline_id, pipeline_run_id }: PipelineRunPath) => ({
  project_id: project,
  ...(pipeline_id !== undefined && { pipeline_id }),
  id: pipeline_run_id,
});

/** A run is found by its pipeline, and by itself. */
const RUN = ['pipelines/:pipeline_id/runs/:pipeline_run_id', 'runs/:pipeline_run_id'];

/** `/api/pipelines/v0/runs` and `/api/pipelines/v0/pipelines/{p}/runs` (interfaces §2). */
@Controller('api/pipelines/v0')
export class PipelineRunsController {
  constructor(
    private readonly rpc: RpcClient,
    private readonly idempotency: Idempotency,
  ) {}

  @Get('runs')
  @Answers({
    access: 'read',
    summary: 'List the runs of all pipelines, the latest first unless told',
    query: ListAllRuns,
    content: PipelineRunPage,
  })
  listAll(
    @Caller() caller: Principal,
    @QueryParameters(ListAllRuns) query: ListAllRuns,
    @Req() { url }: FastifyRequest,
  ) {
    return this.page(caller, {}, query, url);
  }

  @Post('pipelines/:pipeline_id/runs')
  @Answers({
    access: 'write',
    summary: 'Start a run of a pipeline that has none under way',
    body: Empty,
    bodyOptional: true,
    creates: true,
    content: PipelineRun,
    refuses: [404, 409],
  })
  start(
    @Caller() { project, projectUuid, actorNumber, actorId }: Principal,
    @Creating() creating: CreateRequest,
    @PathIds() { pipeline_id }: PipelinePath,
    @OptionalJsonBody(Empty) _: object,
  ) {
    return this.idempotency.create(creating, async (id) => {
      const asked = { project_id: project, pipeline_id, id, by: actorNumber, actor_id: actorId };
      return enveloped(inEnterprise(await this.rpc.call(contracts.startRun, asked), projectUuid));
    });
  }

  @Get('pipelines/:pipeline_id/runs')
  @Answers({
    access: 'read',
    summary: 'List the runs of a pipeline, the latest first unless told',
    query: ListRuns,
    content: PipelineRunPage,
    refuses: [404],
  })
  list(
    @Caller() caller: Principal,
    @PathIds() { pipeline_id }: PipelinePath,
    @QueryParameters(ListRuns) query: ListRuns,
    @Req() { url }: FastifyRequest,
  ) {
    return this.page(caller, { pipeline_id }, query, url);
  }

  @Get(RUN)
  @Answers({ access: 'read', summary: 'Show a run', content: PipelineRun, refuses: [404] })
  async show(@Caller() caller: Principal, @PathIds() path: PipelineRunPath) {
    return enveloped(inEnterprise(await this.rpc.call(contracts.getRun, keyOf(caller, path)), caller.projectUuid));
  }

  @Put(RUN)
  @Answers({
    access: 'write',
    summary:
      'Promote a run that waits (running), have it wait before its next stage (waiting), or cancel it (cancelled)',
    body: PipelineRunPut,
    content: PipelineRun,
    refuses: [404],
  })
  async set(
    @Caller() caller: Principal,
    @PathIds() path: PipelineRunPath,
    @JsonBody(PipelineRunPut) { status }: PipelineRunPut,
  ) {
    const asked = { ...keyOf(caller, path), status, by: caller.actorNumber };
    return enveloped(inEnterprise(await this.rpc.call(contracts.setRun, asked), caller.projectUuid));
  }

  @Delete(RUN)
  @Answers({
    access: 'write',
    summary: 'Delete a run that has ended, with all that belongs to it',
    content: PipelineRun,
    refuses: [400, 404],
  })
  async delete(@Caller() caller: Principal, @PathIds() path: PipelineRunPath) {
    return enveloped(inEnterprise(await this.rpc.call(contracts.deleteRun, keyOf(caller, path)), caller.projectUuid));
  }

  private async page(
    { project, projectUuid }: Principal,
    filter: { pipeline_id?: string },
    query: ListAllRuns,
    url: string,
  ) {
    const place = offsetOf(query);
    const asked = { project_id: project, ...filter, ...query, ...place };
    const { count, results } = await this.rpc.call(contracts.listRuns, asked);
    return enveloped(offsetPage(url, place, { count, results: results.map((run) => inEnterprise(run, projectUuid)) }));
  }
}
