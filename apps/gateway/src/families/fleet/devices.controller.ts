import { DeviceDetail, DevicePatch, deviceState, NewDevice, renamed, type DeviceQuery } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Controller, Get, HttpCode, Patch, Post, StreamableFile } from '@nestjs/common';
import { Readable } from 'node:stream';
import { Caller, type Principal } from '../../auth/principal.js';
import { NDJSON_TYPE } from '../../common/bodies.js';
import { endpointsOf } from '../../common/endpoint.js';
import { BodyStream, JsonBody, PathId, QueryParameters } from '../../common/input.js';
import { Creating, Idempotency, type CreateRequest } from '../../idempotency/idempotency.js';
import { DeviceRegistration } from '../../registration/device.registration.js';
import { fleet } from './fleet.dialect.js';
import { BulkAnswer, DEFAULT_PAGE, DevicePage, ListDevices } from './fleet.dto.js';

const Endpoint = endpointsOf(fleet);

/** `/api/v1/devices` (interfaces §6). */
@Controller('api/v1/devices')
export class DevicesController {
  constructor(
    private readonly rpc: RpcClient,
    private readonly idempotency: Idempotency,
    private readonly registration: DeviceRegistration,
  ) {}

  @Post()
  @Endpoint({
    access: 'write',
    summary: 'Register a device',
    body: NewDevice,
    creates: true,
    answers: { status: 201, schema: DeviceDetail },
    refuses: [409],
  })
  register(
    @Caller() { project }: Principal,
    @Creating() request: CreateRequest,
    @JsonBody(NewDevice) device: NewDevice,
  ): Promise<DeviceDetail> {
    return this.idempotency.create(request, (id) => this.registration.register(project, id, device));
  }

  @Post('bulk')
  @HttpCode(200)
  @Endpoint({
    access: 'write',
    summary: 'Register many devices: a device a line, answered by a line each, in order and as they come',
    body: NewDevice,
    consumes: NDJSON_TYPE,
    answers: { status: 200, schema: BulkAnswer, type: NDJSON_TYPE },
  })
  registerMany(@Caller() { project }: Principal, @BodyStream() body: AsyncIterable<Buffer>): StreamableFile {
    const answers = Readable.from(this.registration.registerLines(project, body), { objectMode: false });
    return new StreamableFile(answers, { type: NDJSON_TYPE });
  }

  @Get()
  @Endpoint({
    access: 'read',
    summary: 'List devices, in the order of their ids',
    query: ListDevices,
    answers: { status: 200, schema: DevicePage },
  })
  list(@Caller() { project }: Principal, @QueryParameters(ListDevices) parameters: ListDevices) {
    const { limit = DEFAULT_PAGE, after, tag, ...conditions } = parameters;
    const query: DeviceQuery = { ...conditions, ...(tag !== undefined && { tags: [tag] }) };
    return this.rpc
      .call(deviceState.listDevices, {
        project_id: project,
        limit,
        ...(after !== undefined && { after }),
        ...(Object.keys(query).length > 0 && { query }),
      })
      .catch((error: unknown) => {
        throw renamed(error, 'query.', '');
      });
  }

  @Get(':id')
  @Endpoint({
    access: 'read',
    summary: 'Show a device',
    answers: { status: 200, schema: DeviceDetail },
    refuses: [404],
  })
  show(@Caller() { project }: Principal, @PathId('id') id: string): Promise<DeviceDetail> {
    return this.rpc.call(deviceState.getDevice, { project_id: project, id });
  }

  @Patch(':id')
  @Endpoint({
    access: 'write',
    summary: 'Change a device; `attributes` and `desired` are merged',
    body: DevicePatch,
    answers: { status: 200, schema: DeviceDetail },
    refuses: [404],
  })
  patch(
    @Caller() { project }: Principal,
    @PathId('id') id: string,
    @JsonBody(DevicePatch) patch: DevicePatch,
  ): Promise<DeviceDetail> {
    return this.rpc.call(deviceState.patchDevice, { project_id: project, id, patch });
  }
}
