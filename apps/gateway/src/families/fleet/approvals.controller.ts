import { Approval, approvals, Decision } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Controller, Get, HttpCode, Post } from '@nestjs/common';
import { Caller, type Principal } from '../../auth/principal.js';
import { endpointsOf } from '../../common/endpoint.js';
import { JsonBody, PathId, QueryParameters } from '../../common/input.js';
import { ProjectStore } from '../../tokens/project.store.js';
import { fleet } from './fleet.dialect.js';
import { ApprovalPage, DEFAULT_PAGE, ListApprovals } from './fleet.dto.js';

const Endpoint = endpointsOf(fleet);

/** `/api/v1/approvals` (rollout.md, `waves`). */
@Controller('api/v1/approvals')
export class ApprovalsController {
  constructor(
    private readonly rpc: RpcClient,
    private readonly projects: ProjectStore,
  ) {}

  @Get()
  @Endpoint({
    access: 'read',
    summary: 'List what waits, or waited, for the word of a person, in the order in which it was asked for',
    query: ListApprovals,
    answers: { status: 200, schema: ApprovalPage },
  })
  list(@Caller() { project }: Principal, @QueryParameters(ListApprovals) parameters: ListApprovals) {
    return this.rpc.call(approvals.listApprovals, { project_id: project, limit: DEFAULT_PAGE, ...parameters });
  }

  @Get(':id')
  @Endpoint({
    access: 'read',
    summary: 'Show an approval',
    answers: { status: 200, schema: Approval },
    refuses: [404],
  })
  show(@Caller() { project }: Principal, @PathId('id') id: string): Promise<Approval> {
    return this.rpc.call(approvals.getApproval, { project_id: project, id });
  }

  @Post(':id')
  @HttpCode(200)
  @Endpoint({
    access: 'approve',
    summary:
      'Decide: the wave begins, or its rollout is cancelled; where the project wants four eyes, not by whoever asked',
    body: Decision,
    answers: { status: 200, schema: Approval },
    refuses: [404, 409],
  })
  async decide(
    @Caller() { project, actorId }: Principal,
    @PathId('id') id: string,
    @JsonBody(Decision) decision: Decision,
  ): Promise<Approval> {
    const { four_eyes } = await this.projects.get(project);
    return this.rpc.call(approvals.decideApproval, {
      project_id: project,
      id,
      ...decision,
      by: actorId,
      own_allowed: !four_eyes,
    });
  }
}
