import { pipelineRuns as contracts, StageRunOperation } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Controller, Get, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Caller, type Principal } from '../../auth/principal.js';
import { enveloped } from '../../common/envelope.js';
import { PathId, PathIds, QueryParameters } from '../../common/input.js';
import { offsetOf, offsetPage } from '../../common/offset.page.js';
import { ListParts } from './pipelines.dto.js';
import { Answers } from './pipelines.endpoint.js';
import { StageRunOperationPage, type StageRunOperationPath } from './runs.dto.js';

/** `/api/pipelines/v0/stageruns/{sr}/operations` (interfaces §2). */
@Controller('api/pipelines/v0/stageruns/:stage_run_id/operations')
export class StageRunOperationsController {
  constructor(private readonly rpc: RpcClient) {}

  @Get()
  @Answers({
    access: 'read',
    summary: 'List the operations of a stage as they were when its run started, in their order',
    query: ListParts,
    content: StageRunOperationPage,
    refuses: [404],
  })
  async list(
    @Caller() { project }: Principal,
    @PathId('stage_run_id') stage_run_id: string,
    @QueryParameters(ListParts) query: ListParts,
    @Req() { url }: FastifyRequest,
  ) {
    const place = offsetOf(query);
    const asked = { project_id: project, stage_run_id, ...place };
    return enveloped(offsetPage(url, place, await this.rpc.call(contracts.listStageRunOperations, asked)));
  }

  @Get(':stage_run_operation_id')
  @Answers({ access: 'read', summary: 'Show an operation of a stage run', content: StageRunOperation, refuses: [404] })
  async show(
    @Caller() { project }: Principal,
    @PathIds() { stage_run_id, stage_run_operation_id }: StageRunOperationPath,
  ) {
    const key = { project_id: project, stage_run_id, id: stage_run_operation_id };
    return enveloped(await this.rpc.call(contracts.getStageRunOperation, key));
  }
}
