import { pipelineRuns as contracts, TargetRun } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Controller, Get, Post, Put, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Caller, type Principal } from '../../auth/principal.js';
import { enveloped } from '../../common/envelope.js';
import { JsonBody, PathId, PathIds, QueryParameters } from '../../common/input.js';
import { offsetOf, offsetPage } from '../../common/offset.page.js';
import { Creating, Idempotency, type CreateRequest } from '../../idempotency/idempotency.js';
import { Answers } from './pipelines.endpoint.js';
import {
  ListTargetRuns,
  NewTargetRuns,
  TargetRunPage,
  TargetRunPut,
  TargetRuns,
  type TargetRunPath,
} from './runs.dto.js';

const keyOf = ({ project }: Principal, { stage_run_id, target_run_id }: TargetRunPath) => ({
  project_id: project,
  stage_run_id,
  id: target_run_id,
});

/** `/api/pipelines/v0/stageruns/{sr}/targetruns` (seed 000, interfaces §2). */
@Controller('api/pipelines/v0/stageruns/:stage_run_id/targetruns')
export class TargetRunsController {
  constructor(
    private readonly rpc: RpcClient,
    private readonly idempotency: Idempotency,
  ) {}

  @Post()
  @Answers({
    access: 'write',
    summary: 'Add a target to a stage run that has not ended; one that is in it already stays as it is',
    body: NewTargetRuns,
    creates: true,
    content: TargetRuns,
    refuses: [404],
  })
  add(
    @Caller() { project, actorNumber }: Principal,
    @Creating() creating: CreateRequest,
    @PathId('stage_run_id') stage_run_id: string,
    @JsonBody(NewTargetRuns) { target_id, device_alias }: NewTargetRuns,
  ) {
    return this.idempotency.create(creating, async () => {
      const { target_runs } = await this.rpc.call(contracts.addTargetRuns, {
        ...{ project_id: project, stage_run_id, target_id, by: actorNumber },
        ...(device_alias !== undefined && { device_alias }),
      });
      return enveloped(target_runs);
    });
  }

  @Get()
  @Answers({
    access: 'read',
    summary: 'List the target runs of a stage run, in the order in which they were made unless told',
    query: ListTargetRuns,
    content: TargetRunPage,
    refuses: [404],
  })
  async list(
    @Caller() { project }: Principal,
    @PathId('stage_run_id') stage_run_id: string,
    @QueryParameters(ListTargetRuns) query: ListTargetRuns,
    @Req() { url }: FastifyRequest,
  ) {
    const place = offsetOf(query);
    const asked = { project_id: project, stage_run_id, ...query, ...place };
    const page = await this.rpc.call(contracts.listTargetRuns, asked);
    return enveloped(offsetPage(url, place, page));
  }

  @Get(':target_run_id')
  @Answers({ access: 'read', summary: 'Show a target run', content: TargetRun, refuses: [404] })
  async show(@Caller() caller: Principal, @PathIds() path: TargetRunPath) {
    return enveloped(await this.rpc.call(contracts.getTargetRun, keyOf(caller, path)));
  }

  @Put(':target_run_id')
  @Answers({
    access: 'write',
    summary: 'Cancel a target run that is pending, queued or processing',
    body: TargetRunPut,
    content: TargetRun,
    refuses: [404],
  })
  async cancel(@Caller() caller: Principal, @PathIds() path: TargetRunPath, @JsonBody(TargetRunPut) _: object) {
    const asked = { ...keyOf(caller, path), by: caller.actorNumber };
    return enveloped(await this.rpc.call(contracts.cancelTargetRun, asked));
  }
}
