import {
  DomainError,
  NewOperation,
  Operation,
  OPERATION_STATES,
  operationRollouts,
  operations,
  RolloutPlan,
  PLAN_MS,
} from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Controller, Get, HttpCode, Post, Put, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Caller, type Principal } from '../../auth/principal.js';
import { endpointsOf } from '../../common/endpoint.js';
import { JsonBody, PathId, QueryParameters } from '../../common/input.js';
import { offsetOf, offsetPage } from '../../common/offset.page.js';
import { Creating, Idempotency, type CreateRequest } from '../../idempotency/idempotency.js';
import { operations as family } from './operations.dialect.js';
import { ChangeOperation, ListOperations, OffsetQuery, OperationPage, stateOf } from './operations.dto.js';

const Endpoint = endpointsOf(family);

/** `/api/v0/operations`, and the operations of a device (seed 001, interfaces §3). */
@Controller('api/v0')
export class OperationsController {
  constructor(
    private readonly rpc: RpcClient,
    private readonly idempotency: Idempotency,
  ) {}

  @Post('operations')
  @Endpoint({
    access: 'write',
    summary: 'Have the devices of a query do something: CONVERGE, or any command',
    body: NewOperation,
    creates: true,
    answers: { status: 201, schema: Operation },
  })
  create(
    @Caller() { project, actorId, timezone }: Principal,
    @Creating() request: CreateRequest,
    @JsonBody(NewOperation) operation: NewOperation,
  ) {
    return this.idempotency.create(request, (id) =>
      this.rpc.call(operations.createOperation, { project_id: project, id, operation, created_by: actorId, timezone }),
    );
  }

  @Post('operations/plan')
  @HttpCode(200)
  @Endpoint({
    access: 'read',
    summary:
      'Say what an operation would do: its devices, waves, conflicts, windows, duration and worst case; nothing is written',
    body: NewOperation,
    answers: { status: 200, schema: RolloutPlan },
  })
  plan(
    @Caller() { project, timezone }: Principal,
    @JsonBody(NewOperation) operation: NewOperation,
  ): Promise<RolloutPlan> {
    return this.rpc.call(operations.planOperation, { project_id: project, operation, timezone }, PLAN_MS);
  }

  @Get('operations')
  @Endpoint({
    access: 'read',
    summary: 'List operations',
    query: ListOperations,
    answers: { status: 200, schema: OperationPage },
  })
  async list(
    @Req() { url }: FastifyRequest,
    @Caller() { project }: Principal,
    @QueryParameters(ListOperations) { state, operation_type, ordering = '-created_at', ...rest }: ListOperations,
  ) {
    const place = offsetOf(rest);
    const page = await this.rpc.call(operations.listOperations, {
      project_id: project,
      ordering,
      ...(state !== undefined && { state: stateOf(OPERATION_STATES, state) }),
      ...(operation_type !== undefined && { operation_type }),
      ...place,
    });
    return offsetPage(url, place, page);
  }

  @Get('operations/:operation_id')
  @Endpoint({
    access: 'read',
    summary: 'Show an operation with its counts',
    answers: { status: 200, schema: Operation },
    refuses: [404],
  })
  async show(@Caller() { project: project_id }: Principal, @PathId('operation_id') id: string): Promise<Operation> {
    const operation = await this.rpc.call(operations.getOperation, { project_id, id });
    if (!operation.rollout) return operation;
    try {
      return { ...operation, ...(await this.rpc.call(operationRollouts.operationProgress, { project_id, id })) };
    } catch (error) {
      // The operation itself is known while job-planner is away.
      if (error instanceof DomainError && error.kind === 'unavailable') return operation;
      throw error;
    }
  }

  @Put('operations/:operation_id')
  @Endpoint({
    access: 'write',
    summary: 'Cancel an operation: no further device is asked, and commands under way are cancelled',
    body: ChangeOperation,
    answers: { status: 200, schema: Operation },
    refuses: [404],
  })
  change(
    @Caller() { project, actorId }: Principal,
    @PathId('operation_id') id: string,
    @JsonBody(ChangeOperation) { reason = 'cancelled' }: ChangeOperation,
  ) {
    return this.rpc.call(operations.cancelOperation, { project_id: project, id, reason, by: actorId });
  }

  @Get('devices/:device_id/operations')
  @Endpoint({
    access: 'read',
    summary: 'List the operations that a device is or was part of, the newest first',
    query: OffsetQuery,
    answers: { status: 200, schema: OperationPage },
    refuses: [404],
  })
  async ofDevice(
    @Req() { url }: FastifyRequest,
    @Caller() { project }: Principal,
    @PathId('device_id') device_id: string,
    @QueryParameters(OffsetQuery) query: OffsetQuery,
  ) {
    const place = offsetOf(query);
    const page = await this.rpc.call(operations.listOperationsOfDevice, { project_id: project, device_id, ...place });
    return offsetPage(url, place, page);
  }
}
