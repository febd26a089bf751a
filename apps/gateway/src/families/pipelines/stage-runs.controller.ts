import { pipelineRuns as contracts } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Controller, Get, Put, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Caller, type Principal } from '../../auth/principal.js';
import { enveloped } from '../../common/envelope.js';
import { JsonBody, PathIds, QueryParameters } from '../../common/input.js';
import { offsetOf, offsetPage } from '../../common/offset.page.js';
import { inEnterprise } from './pipelines.dto.js';
import { Answers } from './pipelines.endpoint.js';
import { ListStageRuns, StageRun, StageRunPage, StageRunPut, type RunPath, type StageRunPath } from './runs.dto.js';

const keyOf = ({ project }: Principal, { pipeline_run_id, stage_run_id }: StageRunPath) => ({
  project_id: project,
  pipeline_run_id,
  id: stage_run_id,
});

/** `/api/pipelines/v0/runs/{r}/stageruns` (interfaces §2). */
@Controller('api/pipelines/v0/runs/:pipeline_run_id/stageruns')
export class StageRunsController {
  constructor(private readonly rpc: RpcClient) {}

  @Get()
  @Answers({
    access: 'read',
    summary: 'List the stage runs of a run in the order of their stages',
    query: ListStageRuns,
    content: StageRunPage,
    refuses: [404],
  })
  async list(
    @Caller() { project, projectUuid }: Principal,
    @PathIds() { pipeline_run_id }: RunPath,
    @QueryParameters(ListStageRuns) query: ListStageRuns,
    @Req() { url }: FastifyRequest,
  ) {
    const place = offsetOf(query);
    const asked = { project_id: project, pipeline_run_id, ...query, ...place };
    const { count, results } = await this.rpc.call(contracts.listStageRuns, asked);
    return enveloped(offsetPage(url, place, { count, results: results.map((one) => inEnterprise(one, projectUuid)) }));
  }

  @Get(':stage_run_id')
  @Answers({ access: 'read', summary: 'Show a stage run', content: StageRun, refuses: [404] })
  async show(@Caller() caller: Principal, @PathIds() path: StageRunPath) {
    const stageRun = await this.rpc.call(contracts.getStageRun, keyOf(caller, path));
    return enveloped(inEnterprise(stageRun, caller.projectUuid));
  }

  @Put(':stage_run_id')
  @Answers({
    access: 'write',
    summary: 'Cancel a stage run with its target runs',
    body: StageRunPut,
    content: StageRun,
    refuses: [404],
  })
  async cancel(@Caller() caller: Principal, @PathIds() path: StageRunPath, @JsonBody(StageRunPut) _: object) {
    const asked = { ...keyOf(caller, path), by: caller.actorNumber };
    return enveloped(inEnterprise(await this.rpc.call(contracts.cancelStageRun, asked), caller.projectUuid));
  }
}
