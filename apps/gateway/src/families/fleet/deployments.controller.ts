import { Deployment, deployments } from '@muster/contracts';
import { RpcClient } from '@muster/messaging';
import { Controller, Get } from '@nestjs/common';
import { Caller, type Principal } from '../../auth/principal.js';
import { endpointsOf } from '../../common/endpoint.js';
import { PathId, QueryParameters } from '../../common/input.js';
import { fleet } from './fleet.dialect.js';
import { DEFAULT_PAGE, DeploymentPage, ListDeployments } from './fleet.dto.js';

const Endpoint = endpointsOf(fleet);

/** `/api/v1/deployments` (interfaces §6). */
@Controller('api/v1/deployments')
export class DeploymentsController {
  constructor(private readonly rpc: RpcClient) {}

  @Get()
  @Endpoint({
    access: 'read',
    summary: 'List what was deployed on devices, in the order of its ids',
    query: ListDeployments,
    answers: { status: 200, schema: DeploymentPage },
  })
  list(@Caller() { project }: Principal, @QueryParameters(ListDeployments) parameters: ListDeployments) {
    return this.rpc.call(deployments.listDeployments, { project_id: project, limit: DEFAULT_PAGE, ...parameters });
  }

  @Get(':id')
  @Endpoint({
    access: 'read',
    summary: 'Show a deployment with its versions',
    answers: { status: 200, schema: Deployment },
    refuses: [404],
  })
  show(@Caller() { project }: Principal, @PathId('id') id: string): Promise<Deployment> {
    return this.rpc.call(deployments.getDeployment, { project_id: project, id });
  }
}
