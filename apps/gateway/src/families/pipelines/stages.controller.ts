import {
  NewStage,
  pipelineRuns,
  pipelines,
  RolloutPlan,
  StageChange,
  type JsonObject,
  PLAN_MS,
} from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Controller, Delete, Get, Post, Put, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Caller, type Principal } from '../../auth/principal.js';
import { enveloped } from '../../common/envelope.js';
import { JsonBody, OptionalJsonBody, PathIds, QueryParameters } from '../../common/input.js';
import { offsetOf, offsetPage } from '../../common/offset.page.js';
import { Creating, Idempotency, type CreateRequest } from '../../idempotency/idempotency.js';
import { inEnterprise, ListParts, Stage, StagePage, type PipelinePath, type StagePath } from './pipelines.dto.js';
import { Answers } from './pipelines.endpoint.js';
import { changeIn, StagePut } from './pipelines.puts.js';
import { Empty } from './runs.dto.js';

const { stage: contracts } = pipelines;

const keyOf = ({ project }: Principal, { pipeline_id, stage_id }: StagePath) => ({
  project_id: project,
  pipeline_id,
  id: stage_id,
});

/** `/api/pipelines/v0/pipelines/{p}/stages` (seed 000, interfaces §2). */
@Controller('api/pipelines/v0/pipelines/:pipeline_id/stages')
export class StagesController {
  constructor(
    private readonly rpc: RpcClient,
    private readonly idempotency: Idempotency,
  ) {}

  @Post()
  @Answers({
    access: 'write',
    summary: 'Create a stage, the last of its pipeline',
    body: NewStage,
    creates: true,
    content: Stage,
    refuses: [404],
  })
  create(
    @Caller() { project, projectUuid, actorNumber }: Principal,
    @Creating() creating: CreateRequest,
    @PathIds() { pipeline_id }: PipelinePath,
    @JsonBody(NewStage) definition: NewStage,
  ) {
    return this.idempotency.create(creating, async (id) => {
      const key = { project_id: project, pipeline_id, id };
      const made = await this.rpc.call(contracts.create, { ...key, definition, by: actorNumber });
      return enveloped(inEnterprise(made, projectUuid));
    });
  }

  @Get()
  @Answers({
    access: 'read',
    summary: 'List the stages of a pipeline in their order',
    query: ListParts,
    content: StagePage,
    refuses: [404],
  })
  async list(
    @Caller() { project, projectUuid }: Principal,
    @PathIds() { pipeline_id }: PipelinePath,
    @QueryParameters(ListParts) query: ListParts,
    @Req() { url }: FastifyRequest,
  ) {
    const place = offsetOf(query);
    const { count, results } = await this.rpc.call(contracts.list, { project_id: project, pipeline_id, ...place });
    return enveloped(offsetPage(url, place, { count, results: results.map((one) => inEnterprise(one, projectUuid)) }));
  }

  @Get(':stage_id')
  @Answers({ access: 'read', summary: 'Show a stage', content: Stage, refuses: [404] })
  async show(@Caller() caller: Principal, @PathIds() path: StagePath) {
    return enveloped(inEnterprise(await this.rpc.call(contracts.get, keyOf(caller, path)), caller.projectUuid));
  }

  @Put(':stage_id')
  @Answers({
    access: 'write',
    summary: 'Change a stage; what is not named stays, and the others make room for its order',
    body: StagePut,
    content: Stage,
    refuses: [404],
  })
  async change(@Caller() caller: Principal, @PathIds() path: StagePath, @JsonBody(StagePut) body: JsonObject) {
    const asked = { ...keyOf(caller, path), change: changeIn(StageChange, body), by: caller.actorNumber };
    return enveloped(inEnterprise(await this.rpc.call(contracts.change, asked), caller.projectUuid));
  }

  @Delete(':stage_id')
  @Answers({ access: 'write', summary: 'Delete a stage with its operation lists', content: Stage, refuses: [404] })
  async delete(@Caller() caller: Principal, @PathIds() path: StagePath) {
    return enveloped(inEnterprise(await this.rpc.call(contracts.delete, keyOf(caller, path)), caller.projectUuid));
  }

  @Post(':stage_id/plan')
  @Answers({
    access: 'read',
    summary:
      'Say what a run of a stage would do: its devices, waves, conflicts, windows, duration and worst case; nothing is written',
    body: Empty,
    bodyOptional: true,
    content: RolloutPlan,
    refuses: [404],
  })
  async plan(@Caller() { project }: Principal, @PathIds() path: StagePath, @OptionalJsonBody(Empty) _: object) {
    return enveloped(await this.rpc.call(pipelineRuns.planStage, { project_id: project, ...path }, PLAN_MS));
  }
}
