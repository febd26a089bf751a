import { pipelines, TargetList } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Controller, Delete, Get, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Caller, type Principal } from '../../auth/principal.js';
import { enveloped } from '../../common/envelope.js';
import { JsonBody, PathId, PathIds, QueryParameters } from '../../common/input.js';
import { offsetOf, offsetPage } from '../../common/offset.page.js';
import { Creating, Idempotency, type CreateRequest } from '../../idempotency/idempotency.js';
import { ListStageTargetLists, StageTargetList, TargetListPage, type StageTargetListPath } from './pipelines.dto.js';
import { Answers } from './pipelines.endpoint.js';

const { stageTargetList: contracts } = pipelines;

/** `/api/pipelines/v0/stages/{s}/targetlists` (interfaces §2). */
@Controller('api/pipelines/v0/stages/:stage_id/targetlists')
export class StageTargetListsController {
  constructor(
    private readonly rpc: RpcClient,
    private readonly idempotency: Idempotency,
  ) {}

  @Post()
  @Answers({
    access: 'write',
    summary: 'Have a stage use a target list of its pipeline; again changes nothing',
    body: StageTargetList,
    creates: true,
    content: TargetList,
    refuses: [404],
  })
  link(
    @Caller() { project }: Principal,
    @Creating() creating: CreateRequest,
    @PathId('stage_id') stage_id: string,
    @JsonBody(StageTargetList) { target_list_id }: StageTargetList,
  ) {
    return this.idempotency.create(creating, async () =>
      enveloped(await this.rpc.call(contracts.link, { project_id: project, stage_id, target_list_id })),
    );
  }

  @Get()
  @Answers({
    access: 'read',
    summary: 'List the target lists that a stage uses',
    query: ListStageTargetLists,
    content: TargetListPage,
    refuses: [404],
  })
  async list(
    @Caller() { project }: Principal,
    @PathId('stage_id') stage_id: string,
    @QueryParameters(ListStageTargetLists) { type, ...rest }: ListStageTargetLists,
    @Req() { url }: FastifyRequest,
  ) {
    const place = offsetOf(rest);
    const page = await this.rpc.call(contracts.list, {
      ...{ project_id: project, stage_id },
      ...(type !== undefined && { target_list_type: type === 'groups' ? 'GROUPS' : 'DEVICES' }),
      ...place,
    });
    return enveloped(offsetPage(url, place, page));
  }

  @Delete(':targetlist_id')
  @Answers({
    access: 'write',
    summary: 'Have a stage use a target list no longer; the list stays',
    content: TargetList,
    refuses: [404],
  })
  async unlink(@Caller() { project }: Principal, @PathIds() { stage_id, targetlist_id }: StageTargetListPath) {
    const key = { project_id: project, stage_id, target_list_id: targetlist_id };
    return enveloped(await this.rpc.call(contracts.unlink, key));
  }
}
