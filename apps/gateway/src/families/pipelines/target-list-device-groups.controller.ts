import { NewTargetListDeviceGroup, pipelines, TargetListDeviceGroup } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Controller, Delete, Get, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Caller, type Principal } from '../../auth/principal.js';
import { enveloped } from '../../common/envelope.js';
import { JsonBody, PathIds, QueryParameters } from '../../common/input.js';
import { offsetOf, offsetPage } from '../../common/offset.page.js';
import { Creating, Idempotency, type CreateRequest } from '../../idempotency/idempotency.js';
import {
  ListParts,
  RemovedDeviceGroup,
  TargetListDeviceGroupPage,
  targetListKey,
  type DeviceGroupPath,
  type TargetListPath,
} from './pipelines.dto.js';
import { Answers } from './pipelines.endpoint.js';

const { targetListDeviceGroup: contracts } = pipelines;

const keyOf = (caller: Principal, path: DeviceGroupPath) => ({
  ...targetListKey(caller, path),
  id: path.devicegroup_id,
});

/** `/api/pipelines/v0/pipelines/{p}/targetlists/{tl}/devicegroups` (interfaces §2). */
@Controller('api/pipelines/v0/pipelines/:pipeline_id/targetlists/:targetlist_id/devicegroups')
export class TargetListDeviceGroupsController {
  constructor(
    private readonly rpc: RpcClient,
    private readonly idempotency: Idempotency,
  ) {}

  @Post()
  @Answers({
    access: 'write',
    summary: 'Put a group of devices into a target list',
    body: NewTargetListDeviceGroup,
    creates: true,
    content: TargetListDeviceGroup,
    refuses: [404],
  })
  create(
    @Caller() caller: Principal,
    @Creating() creating: CreateRequest,
    @PathIds() path: TargetListPath,
    @JsonBody(NewTargetListDeviceGroup) definition: NewTargetListDeviceGroup,
  ) {
    return this.idempotency.create(creating, async (id) => {
      const asked = { ...targetListKey(caller, path), id, definition, by: caller.actorNumber };
      return enveloped(await this.rpc.call(contracts.create, asked));
    });
  }

  @Get()
  @Answers({
    access: 'read',
    summary: 'List the groups of a target list',
    query: ListParts,
    content: TargetListDeviceGroupPage,
    refuses: [404],
  })
  async list(
    @Caller() caller: Principal,
    @PathIds() path: TargetListPath,
    @QueryParameters(ListParts) query: ListParts,
    @Req() { url }: FastifyRequest,
  ) {
    const place = offsetOf(query);
    const page = await this.rpc.call(contracts.list, { ...targetListKey(caller, path), ...place });
    return enveloped(offsetPage(url, place, page));
  }

  @Get(':devicegroup_id')
  @Answers({ access: 'read', summary: 'Show a group of a target list', content: TargetListDeviceGroup, refuses: [404] })
  async show(@Caller() caller: Principal, @PathIds() path: DeviceGroupPath) {
    return enveloped(await this.rpc.call(contracts.get, keyOf(caller, path)));
  }

  @Delete(':devicegroup_id')
  @Answers({
    access: 'write',
    summary: 'Take a group out of a target list',
    content: RemovedDeviceGroup,
    refuses: [404],
  })
  async delete(@Caller() caller: Principal, @PathIds() path: DeviceGroupPath) {
    const gone = await this.rpc.call(contracts.delete, keyOf(caller, path));
    return enveloped<RemovedDeviceGroup>({
      ...gone,
      target_list: gone.target_list_id,
      device_group: gone.device_group_id,
    });
  }
}
