import { CredentialRotation, deviceCredentials, IssuedCredential, NewCredential } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Controller, Delete, Get, HttpCode, Post } from '@nestjs/common';
import { Caller, type Principal } from '../../auth/principal.js';
import { endpointsOf } from '../../common/endpoint.js';
import { OptionalJsonBody, PathId, QueryParameters } from '../../common/input.js';
import { Creating, Idempotency, type CreateRequest } from '../../idempotency/idempotency.js';
import { fleet } from './fleet.dialect.js';
import { CredentialPage, DEFAULT_PAGE, Page } from './fleet.dto.js';

const Endpoint = endpointsOf(fleet);

/** `/api/v1/devices/{id}/credentials` (interfaces §6). No answer with a secret is stored: asked again, it is made again. */
@Controller('api/v1/devices/:id/credentials')
export class CredentialsController {
  constructor(
    private readonly rpc: RpcClient,
    private readonly idempotency: Idempotency,
  ) {}

  @Post()
  @Endpoint({
    access: 'write',
    summary: 'Issue credentials of a device for NATS and MQTT; the secret is shown once',
    body: NewCredential,
    bodyOptional: true,
    creates: true,
    answers: { status: 201, schema: IssuedCredential },
    refuses: [404, 409],
  })
  issue(
    @Caller() { project, actorId }: Principal,
    @Creating() request: CreateRequest,
    @PathId('id') device: string,
    @OptionalJsonBody(NewCredential) order: NewCredential,
  ): Promise<IssuedCredential> {
    return this.idempotency.repeat(request, (id) =>
      this.rpc.call(deviceCredentials.issue, {
        project_id: project,
        device_id: device,
        id,
        created_by: actorId,
        order,
      }),
    );
  }

  @Get()
  @Endpoint({
    access: 'read',
    summary: 'List the credentials of a device, without their secrets',
    query: Page,
    answers: { status: 200, schema: CredentialPage },
    refuses: [404],
  })
  list(
    @Caller() { project }: Principal,
    @PathId('id') device: string,
    @QueryParameters(Page) { after, limit = DEFAULT_PAGE }: Page,
  ) {
    return this.rpc.call(deviceCredentials.list, {
      project_id: project,
      device_id: device,
      limit,
      ...(after !== undefined && { after }),
    });
  }

  @Post(':credentialId/rotate')
  @Endpoint({
    access: 'write',
    summary: 'Issue credentials in the place of others, which are revoked at once or after an overlap',
    body: CredentialRotation,
    bodyOptional: true,
    creates: true,
    answers: { status: 201, schema: IssuedCredential },
    refuses: [404, 409],
  })
  rotate(
    @Caller() { project, actorId }: Principal,
    @Creating() request: CreateRequest,
    @PathId('id') device: string,
    @PathId('credentialId') replaces: string,
    @OptionalJsonBody(CredentialRotation) order: CredentialRotation,
  ): Promise<IssuedCredential> {
    return this.idempotency.repeat(request, (id) =>
      this.rpc.call(deviceCredentials.rotate, {
        project_id: project,
        device_id: device,
        id,
        replaces,
        created_by: actorId,
        order,
      }),
    );
  }

  @Delete(':credentialId')
  @HttpCode(204)
  @Endpoint({
    access: 'write',
    summary: 'Revoke credentials; the connections that were made with them end before the answer',
    answers: { status: 204 },
    refuses: [404, 409],
  })
  async revoke(
    @Caller() { project }: Principal,
    @PathId('id') device: string,
    @PathId('credentialId') id: string,
  ): Promise<void> {
    await this.rpc.call(deviceCredentials.revoke, { project_id: project, device_id: device, id });
  }
}
