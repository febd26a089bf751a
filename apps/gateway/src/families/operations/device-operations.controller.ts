import { DEVICE_OPERATION_STATES, DomainError, operations } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Controller, Get, Put, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Caller, type Principal } from '../../auth/principal.js';
import { mayAccess } from '../../auth/roles.js';
import { endpointsOf } from '../../common/endpoint.js';
import { JsonBody, PathId, QueryParameters } from '../../common/input.js';
import { offsetOf, offsetPage } from '../../common/offset.page.js';
import { operations as family } from './operations.dialect.js';
import {
  CANCELLATION_REQUESTED,
  ChangeDeviceOperation,
  HOW_TO_CANCEL,
  DeviceOperationContent,
  DeviceOperationPage,
  ListDeviceOperations,
  reportOf,
  stateOf,
} from './operations.dto.js';

const Endpoint = endpointsOf(family);

/** `/api/v0/operations/{id}/devices` (seed 001, interfaces §3). */
@Controller('api/v0/operations/:operation_id/devices')
export class DeviceOperationsController {
  constructor(private readonly rpc: RpcClient) {}

  @Get()
  @Endpoint({
    access: 'read',
    summary: 'List the device operations of an operation',
    query: ListDeviceOperations,
    answers: { status: 200, schema: DeviceOperationPage },
    refuses: [404],
  })
  async list(
    @Req() { url }: FastifyRequest,
    @Caller() { project }: Principal,
    @PathId('operation_id') operation_id: string,
    @QueryParameters(ListDeviceOperations) { state, ...rest }: ListDeviceOperations,
  ) {
    const place = offsetOf(rest);
    const page = await this.rpc.call(operations.listDeviceOperations, {
      project_id: project,
      operation_id,
      ...(state !== undefined && { state: stateOf(DEVICE_OPERATION_STATES, state) }),
      ...place,
    });
    return { content: offsetPage(url, place, page) };
  }

  @Get(':device_id')
  @Endpoint({
    access: 'read',
    summary: "Show one device's part of an operation",
    answers: { status: 200, schema: DeviceOperationContent },
    refuses: [404],
  })
  async show(
    @Caller() { project }: Principal,
    @PathId('operation_id') operation_id: string,
    @PathId('device_id') device_id: string,
  ) {
    return {
      content: await this.rpc.call(operations.getDeviceOperation, { project_id: project, operation_id, device_id }),
    };
  }

  @Put(':device_id')
  @Endpoint({
    access: 'settle',
    summary: "Have one device's part cancelled; or, by a service, say what became of it",
    body: ChangeDeviceOperation,
    answers: { status: 200, schema: DeviceOperationContent },
    refuses: [404],
  })
  async change(
    @Caller() { project, role }: Principal,
    @PathId('operation_id') operation_id: string,
    @PathId('device_id') device_id: string,
    @JsonBody(ChangeDeviceOperation) body: ChangeDeviceOperation,
  ) {
    const key = { project_id: project, operation_id, device_id };
    const cancels = body.state === CANCELLATION_REQUESTED;
    if (!mayAccess(role, cancels ? 'write' : 'report')) {
      const what = cancels ? 'cancel a device operation' : `report a device operation; ${HOW_TO_CANCEL}`;
      throw new DomainError('forbidden', `role ${role} may not ${what}`);
    }
    const content = cancels
      ? await this.rpc.call(operations.cancelDeviceOperation, { ...key, reason: body.reason ?? 'cancelled' })
      : await this.rpc.call(operations.reportDeviceOperation, { ...key, report: reportOf(body) });
    return { content };
  }
}
