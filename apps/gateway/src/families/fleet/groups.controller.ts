import { DeviceGroup, DeviceGroupPatch, deviceGroups, GroupDevices, NewDeviceGroup } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Controller, Delete, Get, HttpCode, Patch, Post } from '@nestjs/common';
import { Caller, type Principal } from '../../auth/principal.js';
import { endpointsOf } from '../../common/endpoint.js';
import { JsonBody, PathId, QueryParameters } from '../../common/input.js';
import { Creating, Idempotency, type CreateRequest } from '../../idempotency/idempotency.js';
import { fleet } from './fleet.dialect.js';
import { DEFAULT_PAGE, DevicePage, Page } from './fleet.dto.js';
import { AddedDevices, GroupPage, ListGroups, NO_PARENT, RemovedDevices } from './groups.dto.js';

const Endpoint = endpointsOf(fleet);

/** `/api/v1/groups` (interfaces §6). */
@Controller('api/v1/groups')
export class GroupsController {
  constructor(
    private readonly rpc: RpcClient,
    private readonly idempotency: Idempotency,
  ) {}

  @Post()
  @Endpoint({
    access: 'write',
    summary: 'Make a group of devices: by list, which may be empty, or by query',
    body: NewDeviceGroup,
    creates: true,
    answers: { status: 201, schema: DeviceGroup },
    refuses: [409],
  })
  create(
    @Caller() { project }: Principal,
    @Creating() request: CreateRequest,
    @JsonBody(NewDeviceGroup) group: NewDeviceGroup,
  ): Promise<DeviceGroup> {
    return this.idempotency.create(request, (id) =>
      this.rpc.call(deviceGroups.createGroup, { project_id: project, id, group }),
    );
  }

  @Get()
  @Endpoint({
    access: 'read',
    summary: 'List groups, in the order of their ids',
    query: ListGroups,
    answers: { status: 200, schema: GroupPage },
  })
  list(@Caller() { project }: Principal, @QueryParameters(ListGroups) parameters: ListGroups) {
    const { limit = DEFAULT_PAGE, parent_id, ...rest } = parameters;
    return this.rpc.call(deviceGroups.listGroups, {
      project_id: project,
      limit,
      ...rest,
      ...(parent_id !== undefined && { parent_id: parent_id === NO_PARENT ? null : parent_id }),
    });
  }

  @Get(':id')
  @Endpoint({ access: 'read', summary: 'Show a group', answers: { status: 200, schema: DeviceGroup }, refuses: [404] })
  show(@Caller() { project }: Principal, @PathId('id') id: string): Promise<DeviceGroup> {
    return this.rpc.call(deviceGroups.getGroup, { project_id: project, id });
  }

  @Patch(':id')
  @Endpoint({
    access: 'write',
    summary: 'Change a group: its name, the group above it, its query',
    body: DeviceGroupPatch,
    answers: { status: 200, schema: DeviceGroup },
    refuses: [404, 409],
  })
  patch(
    @Caller() { project }: Principal,
    @PathId('id') id: string,
    @JsonBody(DeviceGroupPatch) patch: DeviceGroupPatch,
  ): Promise<DeviceGroup> {
    return this.rpc.call(deviceGroups.patchGroup, { project_id: project, id, patch });
  }

  @Delete(':id')
  @HttpCode(204)
  @Endpoint({
    access: 'write',
    summary:
      'Delete a group that has none below it, that no query of a group names, and by which no operation has yet to find its devices; these stay',
    answers: { status: 204 },
    refuses: [404, 409],
  })
  async delete(@Caller() { project }: Principal, @PathId('id') id: string): Promise<void> {
    await this.rpc.call(deviceGroups.deleteGroup, { project_id: project, id });
  }

  @Get(':id/devices')
  @Endpoint({
    access: 'read',
    summary: 'List the members of a group, those of the groups below it included, in the order of their ids',
    query: Page,
    answers: { status: 200, schema: DevicePage },
    refuses: [404],
  })
  listDevices(@Caller() { project }: Principal, @PathId('id') id: string, @QueryParameters(Page) page: Page) {
    return this.rpc.call(deviceGroups.listGroupDevices, { project_id: project, id, limit: DEFAULT_PAGE, ...page });
  }

  @Post(':id/devices')
  @HttpCode(200)
  @Endpoint({
    access: 'write',
    summary: 'Put devices into a group by list',
    body: GroupDevices,
    answers: { status: 200, schema: AddedDevices },
    refuses: [404, 409],
  })
  async add(
    @Caller() { project }: Principal,
    @PathId('id') id: string,
    @JsonBody(GroupDevices) { device_ids }: GroupDevices,
  ) {
    const { changed, group } = await this.rpc.call(deviceGroups.addToGroup, { project_id: project, id, device_ids });
    return { added: changed, device_count: group.device_count };
  }

  @Post(':id/devices/remove')
  @HttpCode(200)
  @Endpoint({
    access: 'write',
    summary: 'Take devices out of a group by list',
    body: GroupDevices,
    answers: { status: 200, schema: RemovedDevices },
    refuses: [404, 409],
  })
  async removeMany(
    @Caller() { project }: Principal,
    @PathId('id') id: string,
    @JsonBody(GroupDevices) { device_ids }: GroupDevices,
  ) {
    const asked = { project_id: project, id, device_ids };
    const { changed, group } = await this.rpc.call(deviceGroups.removeFromGroup, asked);
    return { removed: changed, device_count: group.device_count };
  }

  @Delete(':id/devices/:device_id')
  @HttpCode(204)
  @Endpoint({
    access: 'write',
    summary: 'Take a device out of a group by list; one that is not in it changes nothing',
    answers: { status: 204 },
    refuses: [404, 409],
  })
  async remove(
    @Caller() { project }: Principal,
    @PathId('id') id: string,
    @PathId('device_id') device: string,
  ): Promise<void> {
    await this.rpc.call(deviceGroups.removeFromGroup, { project_id: project, id, device_ids: [device] });
  }
}
