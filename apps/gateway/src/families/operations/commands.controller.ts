import { commandDispatcher, NewCommandRequest } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Controller, Get, Post, Put, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Caller, type Principal } from '../../auth/principal.js';
import { endpointsOf } from '../../common/endpoint.js';
import { Envelope, enveloped } from '../../common/envelope.js';
import { JsonBody, PathId, QueryParameters } from '../../common/input.js';
import { offsetOf, offsetPage } from '../../common/offset.page.js';
import { Creating, Idempotency, type CreateRequest } from '../../idempotency/idempotency.js';
import {
  CancelCommand,
  CommandRequest,
  CommandRequestPage,
  CommandStats,
  CommandStatus,
  CommandStatusPage,
  filtersOf,
  ListRequests,
  ListStatuses,
  toRequest,
  toStatus,
} from './commands.dto.js';
import { operations } from './operations.dialect.js';

const Endpoint = endpointsOf(operations);

/** Why a command is cancelled when its user does not say. */
const BY_USER = 'cancelled by a user';

// The documentation can be read as one path of the two or the other.
const STATUSES = ['status', 'commands/status'];
const STATUS = ['status/:id', 'commands/status/:id'];

/** `/api/commands/v0` (seed 000 and 001, interfaces §3): requests for commands, and their status on each device. */
@Controller('api/commands/v0')
export class CommandsController {
  constructor(
    private readonly rpc: RpcClient,
    private readonly idempotency: Idempotency,
  ) {}

  @Post('commands')
  @Endpoint({
    access: 'write',
    summary: 'Send a command to devices, groups or the devices of a query',
    body: NewCommandRequest,
    creates: true,
    answers: { status: 201, schema: Envelope(CommandRequest) },
  })
  create(
    @Caller() { project, projectUuid, actorId, timezone }: Principal,
    @Creating() creating: CreateRequest,
    @JsonBody(NewCommandRequest) request: NewCommandRequest,
  ) {
    return this.idempotency.create(creating, async (id) =>
      enveloped(
        toRequest(
          await this.rpc.call(commandDispatcher.createCommandRequest, {
            project_id: project,
            id,
            request,
            created_by: actorId,
            timezone,
          }),
          projectUuid,
        ),
      ),
    );
  }

  @Get('commands')
  @Endpoint({
    access: 'read',
    summary: 'List command requests, the latest first',
    query: ListRequests,
    answers: { status: 200, schema: Envelope(CommandRequestPage) },
  })
  async list(
    @Caller() { project, projectUuid }: Principal,
    @QueryParameters(ListRequests) query: ListRequests,
    @Req() { url }: FastifyRequest,
  ) {
    const page = offsetOf(query);
    const { count, requests } = await this.rpc.call(commandDispatcher.listCommandRequests, {
      project_id: project,
      ...page,
    });
    const results = requests.map((request) => toRequest(request, projectUuid));
    return enveloped(offsetPage(url, page, { count, results }));
  }

  @Get(STATUSES)
  @Endpoint({
    access: 'read',
    summary: 'List commands with their state on each device, the latest first',
    query: ListStatuses,
    answers: { status: 200, schema: Envelope(CommandStatusPage) },
  })
  async statuses(
    @Caller() { project }: Principal,
    @QueryParameters(ListStatuses) query: ListStatuses,
    @Req() { url }: FastifyRequest,
  ) {
    const page = offsetOf(query);
    const { count, commands } = await this.rpc.call(commandDispatcher.listCommands, {
      project_id: project,
      ...filtersOf(query),
      ...page,
    });
    return enveloped(offsetPage(url, page, { count, results: commands.map(toStatus) }));
  }

  @Get(STATUS)
  @Endpoint({
    access: 'read',
    summary: 'Show a command on its device',
    answers: { status: 200, schema: Envelope(CommandStatus) },
    refuses: [404],
  })
  async status(@Caller() { project }: Principal, @PathId('id') id: string) {
    return enveloped(toStatus(await this.rpc.call(commandDispatcher.getCommand, { project_id: project, id })));
  }

  @Put(STATUS)
  @Endpoint({
    access: 'write',
    summary: 'Cancel a command on its device; one that has ended stays as it is',
    body: CancelCommand,
    answers: { status: 200, schema: Envelope(CommandStatus) },
    refuses: [404],
  })
  async cancelOne(
    @Caller() { project }: Principal,
    @PathId('id') id: string,
    @JsonBody(CancelCommand) { reason = BY_USER }: CancelCommand,
  ) {
    return enveloped(
      toStatus(await this.rpc.call(commandDispatcher.cancelCommand, { project_id: project, id, reason })),
    );
  }

  @Get('commands/:id')
  @Endpoint({
    access: 'read',
    summary: 'Show a command request',
    answers: { status: 200, schema: Envelope(CommandRequest) },
    refuses: [404],
  })
  async show(@Caller() { project, projectUuid }: Principal, @PathId('id') id: string) {
    const request = await this.rpc.call(commandDispatcher.getCommandRequest, { project_id: project, id });
    return enveloped(toRequest(request, projectUuid));
  }

  @Put('commands/:id')
  @Endpoint({
    access: 'write',
    summary: 'Cancel a command request with all its commands that have not ended',
    body: CancelCommand,
    answers: { status: 200, schema: Envelope(CommandRequest) },
    refuses: [404],
  })
  async cancel(
    @Caller() { project, projectUuid }: Principal,
    @PathId('id') id: string,
    @JsonBody(CancelCommand) { reason = BY_USER }: CancelCommand,
  ) {
    const request = await this.rpc.call(commandDispatcher.cancelCommandRequest, { project_id: project, id, reason });
    return enveloped(toRequest(request, projectUuid));
  }

  @Get('commands/:id/stats')
  @Endpoint({
    access: 'read',
    summary: 'Count the commands of a request by state',
    answers: { status: 200, schema: Envelope(CommandStats) },
    refuses: [404],
  })
  async stats(@Caller() { project }: Principal, @PathId('id') id: string) {
    return enveloped(await this.rpc.call(commandDispatcher.commandStats, { project_id: project, id }));
  }
}
