import { DeviceEntity } from './devices/device.entity.js';
import { DriftEntity } from './drift/drift.entity.js';
import { GroupMemberEntity } from './groups/group-member.entity.js';
import { GroupEntity } from './groups/group.entity.js';
import { Devices1700000001000 } from './migrations/1700000001000-devices.js';
import { Groups1700000001100 } from './migrations/1700000001100-groups.js';
import { Drift1700000001200 } from './migrations/1700000001200-drift.js';

/** What the service keeps, and how its schema came to be. */
export const entities = [DeviceEntity, DriftEntity, GroupEntity, GroupMemberEntity];
export const migrations = [Devices1700000001000, Groups1700000001100, Drift1700000001200];
