import {
  deployments,
  DomainError,
  type Deployment,
  type DeploymentSummary,
  type RpcRequest,
  type RpcResponse,
} from '@muster/contracts';
import { Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { DeploymentSearch } from './deployment.search.js';
import { DeploymentStore, type SummaryRow } from './deployment.store.js';

type Contracts = typeof deployments;

/** Questions about deployments. */
@Controller()
export class DeploymentsRpc {
  constructor(
    private readonly store: DeploymentStore,
    private readonly search: DeploymentSearch,
  ) {}

  @Rpc(deployments.getDeployment)
  async getDeployment({ project_id, id }: RpcRequest<Contracts['getDeployment']>): Promise<Deployment> {
    const row = await this.store.get(project_id, id);
    if (!row) throw new DomainError('not_found', `no deployment ${id}`);
    const versions = row.versions.map(({ version, at, command_id }) => ({
      version,
      at: new Date(at).toISOString(),
      command_id,
    }));
    return { ...toSummary(row), args: row.args, versions };
  }

  @Rpc(deployments.resolveDeployments)
  resolveDeployments(
    request: RpcRequest<Contracts['resolveDeployments']>,
  ): Promise<RpcResponse<Contracts['resolveDeployments']>> {
    return this.search.resolve(request);
  }

  @Rpc(deployments.listDeployments)
  async listDeployments({
    project_id,
    limit,
    ...filter
  }: RpcRequest<Contracts['listDeployments']>): Promise<RpcResponse<Contracts['listDeployments']>> {
    const rows = await this.store.page(project_id, filter, limit + 1);
    const page = rows.slice(0, limit).map(toSummary);
    return { deployments: page, next: rows.length > limit ? page.at(-1)!.id : null };
  }
}

const toSummary = (row: SummaryRow): DeploymentSummary => ({
  id: row.id,
  project_id: row.project_id,
  device_id: row.device_id,
  name: row.name,
  version: row.deployed_version,
  state: row.state,
  created_at: row.created_at.toISOString(),
  updated_at: row.updated_at.toISOString(),
});
