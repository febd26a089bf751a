import { ConnectionEntity } from './connections/connection.entity.js';
import { CredentialEntity } from './credentials/credential.entity.js';
import { DeploymentEntity } from './deployments/deployment.entity.js';
import { DeviceOperationEntity } from './device-operations/device-operation.entity.js';
import { DeviceEntity } from './devices/device.entity.js';
import { DriftEntity } from './drift/drift.entity.js';
import { GroupMemberEntity } from './groups/group-member.entity.js';
import { GroupEntity } from './groups/group.entity.js';
import { Devices1700000001000 } from './migrations/1700000001000-devices.js';
import { Credentials1700000001050 } from './migrations/1700000001050-credentials.js';
import { Connections1700000001060 } from './migrations/1700000001060-connections.js';
import { Groups1700000001100 } from './migrations/1700000001100-groups.js';
import { Drift1700000001200 } from './migrations/1700000001200-drift.js';
import { Deployments1700000001300 } from './migrations/1700000001300-deployments.js';
import { Timeline1700000001400 } from './migrations/1700000001400-timeline.js';
import { Operations1700000001500 } from './migrations/1700000001500-operations.js';
import { OperationEntity } from './operations/operation.entity.js';
import { DeviceOperationRemovalEntity } from './retention/device-operation-removal.entity.js';
import { DeviceHistoryEntity } from './timeline/device-history.entity.js';

/** What the service keeps, and how its schema came to be. */
export const entities = [
  ConnectionEntity,
  CredentialEntity,
  DeploymentEntity,
  DeviceEntity,
  DeviceHistoryEntity,
  DeviceOperationEntity,
  DeviceOperationRemovalEntity,
  DriftEntity,
  GroupEntity,
  GroupMemberEntity,
  OperationEntity,
];
export const migrations = [
  Devices1700000001000,
  Credentials1700000001050,
  Connections1700000001060,
  Groups1700000001100,
  Drift1700000001200,
  Deployments1700000001300,
  Timeline1700000001400,
  Operations1700000001500,
];
