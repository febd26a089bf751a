import Type, { type Static } from 'typebox';
import { DeviceQuery, keysetPage } from './device-state.js';
import { defineEntity } from './entity.js';
import { defineRpc } from './rpc.js';
import { JsonObject, ProjectId, Timestamp, Uuid } from './schema.js';

/** The most versions that a deployment keeps; then the oldest go. */
export const MAX_DEPLOYMENT_VERSIONS = 100;

/** What a `deployment_deploy` made on a device, each `deployment_upgrade` changed, and a `deployment_remove` took away. */
export const deploymentEntity = defineEntity('deployment', 'device-state', ['DEPLOYED', 'UPGRADED', 'REMOVED'], {
  device_id: Uuid,
  name: Type.String(),
  deployed_version: Type.String(),
  command_id: Uuid,
});

/** A deployment as lists show it. `version`: what is deployed, in the words of who deployed it; empty if they said none, or it is REMOVED. */
export const DeploymentSummary = Type.Object({
  id: Uuid,
  project_id: ProjectId,
  device_id: Uuid,
  name: Type.String(),
  version: Type.String(),
  state: Type.Enum([...deploymentEntity.states]),
  created_at: Timestamp,
  updated_at: Timestamp,
});

/** A deployment as everybody sees it (interfaces §6). */
export const Deployment = Type.Object({
  ...DeploymentSummary.properties,
  args: Type.Record(Type.String(), Type.Unknown(), { description: 'what it was made of, or upgraded to' }),
  versions: Type.Array(Type.Object({ version: Type.String(), at: Timestamp, command_id: Uuid }), {
    maxItems: MAX_DEPLOYMENT_VERSIONS,
    description: 'oldest first',
  }),
});

export type DeploymentSummary = Static<typeof DeploymentSummary>;
export type Deployment = Static<typeof Deployment>;
/** One command's part in a deployment. */
export type DeployedVersion = Deployment['versions'][number];

export const deployments = {
  getDeployment: defineRpc(
    'device-state',
    'getDeployment',
    Type.Object({ project_id: ProjectId, id: Uuid }),
    Deployment,
  ),
  /**
   * The deployments that there are at present, of those named, of those on the devices of a query, or of both (both must hold; one of them must be
   * given), in pages by their ids: what a planner needs of each. `args`: what it was last made of, where that is asked for.
   */
  resolveDeployments: defineRpc(
    'device-state',
    'resolveDeployments',
    Type.Object({
      project_id: ProjectId,
      ids: Type.Optional(Type.Array(Uuid, { maxItems: 500 })),
      query: Type.Optional(DeviceQuery),
      with_args: Type.Optional(Type.Boolean()),
      ...keysetPage,
    }),
    Type.Object({
      deployments: Type.Array(
        Type.Object({
          id: Uuid,
          name: Type.String(),
          version: Type.String(),
          device_id: Uuid,
          device_name: Type.String(),
          timezone: Type.String(),
          args: Type.Optional(JsonObject),
        }),
      ),
      next: Type.Union([Uuid, Type.Null()]),
    }),
  ),
  /** Those that there are at present, in the order of their ids. */
  listDeployments: defineRpc(
    'device-state',
    'listDeployments',
    Type.Object({
      project_id: ProjectId,
      device_id: Type.Optional(Uuid),
      name: Type.Optional(Type.String()),
      ...keysetPage,
    }),
    Type.Object({ deployments: Type.Array(DeploymentSummary), next: Type.Union([Uuid, Type.Null()]) }),
  ),
} as const;
