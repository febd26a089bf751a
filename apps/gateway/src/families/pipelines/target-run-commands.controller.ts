import {
  DomainError,
  invalidField,
  pipelineRuns as contracts,
  type TargetRunCommand as CommandDefinition,
} from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Controller, Get, Post, Put } from '@nestjs/common';
import { Caller, type Principal } from '../../auth/principal.js';
import { enveloped } from '../../common/envelope.js';
import { JsonBody, OptionalJsonBody, PathIds } from '../../common/input.js';
import { Answers } from './pipelines.endpoint.js';
import {
  Empty,
  TargetRunCommand,
  TargetRunCommandPut,
  toCommand,
  type TargetRunCommandPath,
  type TargetRunPath,
} from './runs.dto.js';

/** `/api/pipelines/v0/stageruns/{sr}/targetruns/{tr}/command` (seed 000, interfaces §2). */
@Controller('api/pipelines/v0/stageruns/:stage_run_id/targetruns/:target_run_id/command')
export class TargetRunCommandsController {
  constructor(private readonly rpc: RpcClient) {}

  @Get()
  @Answers({ access: 'read', summary: 'Show the command of a target run', content: TargetRunCommand, refuses: [404] })
  async show(@Caller() { project, projectUuid }: Principal, @PathIds() path: TargetRunPath) {
    const command = await this.rpc.call(contracts.getTargetRunCommand, { project_id: project, ...path });
    return enveloped(toCommand(command, projectUuid));
  }

  @Post()
  @Answers({
    access: 'write',
    summary: "Show the command that the stage's rollout requested for a target run; 400 while its turn has not come",
    body: Empty,
    bodyOptional: true,
    content: TargetRunCommand,
    refuses: [404],
  })
  async request(
    @Caller() { project, projectUuid }: Principal,
    @PathIds() path: TargetRunPath,
    @OptionalJsonBody(Empty) _: object,
  ) {
    return enveloped(toCommand(await this.requested(project, path), projectUuid));
  }

  @Put(':command_id')
  @Answers({
    access: 'write',
    summary: 'Have the command of a target run cancelled',
    body: TargetRunCommandPut,
    content: TargetRunCommand,
    refuses: [404],
  })
  async cancel(
    @Caller() { project, projectUuid, actorNumber }: Principal,
    @PathIds() path: TargetRunCommandPath,
    @JsonBody(TargetRunCommandPut) _: object,
  ) {
    const asked = { project_id: project, ...path, by: actorNumber };
    const command = await this.rpc.call(contracts.cancelTargetRunCommand, asked);
    return enveloped(toCommand(command, projectUuid));
  }

  /** @throws DomainError `invalid` where a target run has no command, `not_found` where there is no target run. */
  private async requested(project_id: string, path: TargetRunPath): Promise<CommandDefinition> {
    const { stage_run_id, target_run_id } = path;
    // Before the command: one that comes meanwhile is found, and the status is never that of later.
    const { status } = await this.rpc.call(contracts.getTargetRun, { project_id, stage_run_id, id: target_run_id });
    try {
      return await this.rpc.call(contracts.getTargetRunCommand, { project_id, ...path });
    } catch (error) {
      if (!(error instanceof DomainError) || error.kind !== 'not_found') throw error;
    }
    const isToCome = status === 'pending' || status === 'queued';
    throw invalidField('target_run_id', `a target run that is ${status} has no command${isToCome ? ' yet' : ''}`);
  }
}
