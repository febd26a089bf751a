import type { deployments, RpcRequest, RpcResponse } from '@muster/contracts';
import { NATS } from '@muster/service';
import { Inject, Injectable } from '@nestjs/common';
import type { NatsConnection } from 'nats';
import { refuseField } from '../devices/device.rules.js';
import { pageBytes } from '../devices/page.bytes.js';
import { GroupStore } from '../groups/group.store.js';
import { groupsNamedBy } from '../groups/group.tree.js';
import { DeploymentStore, type ResolvedRow } from './deployment.store.js';

type Contract = typeof deployments.resolveDeployments;
type Resolved = RpcResponse<Contract>['deployments'][number];

/** Finds the deployments to work on. */
@Injectable()
export class DeploymentSearch {
  constructor(
    private readonly deployments: DeploymentStore,
    private readonly groups: GroupStore,
    @Inject(NATS) private readonly connection: NatsConnection,
  ) {}

  /**
   * A page of those that are named, on a device of the query, or both. Where they are large it may be shorter than its limit; `next` alone says
   * whether there is more.
   * @throws DomainError `invalid` naming what is wrong with the query, or that nothing says which are meant: a mistake must not mean all.
   */
  async resolve({ query = {}, limit, ...request }: RpcRequest<Contract>): Promise<RpcResponse<Contract>> {
    const { project_id, ids } = request;
    if (!ids && Object.keys(query).length === 0) refuseField('query', 'is required without ids');
    const groups = await this.groups.tree(project_id, groupsNamedBy(query));
    const which = { ...request, query, groups };
    const { rows, next } = await this.deployments.resolve(which, limit, pageBytes(this.connection));
    return { deployments: rows.map(toResolved), next };
  }
}

const toResolved = ({ id, name, version, device_id, device_name, timezone, args }: ResolvedRow): Resolved => ({
  id,
  name,
  version,
  device_id,
  device_name,
  timezone,
  ...(args && { args }),
});
