import Type, { type Static } from 'typebox';
import { Device, DeviceQuery, keysetPage } from './device-state.js';
import { defineRpc } from './rpc.js';
import { JsonObject, nameOfAtMost, ProjectId, Timestamp, Uuid } from './schema.js';

/** The most devices that one call puts into a group or takes out of it. */
export const MAX_GROUP_CHANGE = 10_000;
/** The most levels of groups below one another. */
export const MAX_GROUP_DEPTH = 16;

const closed = { additionalProperties: false };

const groupFields = {
  name: nameOfAtMost(128),
  parent_id: Type.Union([Uuid, Type.Null()], { description: 'null: at the top' }),
  query: DeviceQuery,
};
const DeviceIds = Type.Array(Uuid, { maxItems: MAX_GROUP_CHANGE });

/** What one makes a group of: a list of devices, which may be empty, or a query that is asked anew each time. */
export const NewDeviceGroup = Type.Object(
  {
    name: groupFields.name,
    parent_id: Type.Optional(groupFields.parent_id),
    device_ids: Type.Optional(DeviceIds),
    query: Type.Optional(groupFields.query),
  },
  closed,
);

/** A change of a group; a group by list has no query. */
export const DeviceGroupPatch = Type.Object(
  {
    name: Type.Optional(groupFields.name),
    parent_id: Type.Optional(groupFields.parent_id),
    query: Type.Optional(groupFields.query),
  },
  { ...closed, minProperties: 1 },
);

/** A group as everybody sees it (interfaces §6). */
export const DeviceGroup = Type.Object({
  id: Uuid,
  project_id: ProjectId,
  name: groupFields.name,
  parent_id: groupFields.parent_id,
  kind: Type.Enum(['list', 'query']),
  query: Type.Union([JsonObject, Type.Null()], { description: 'a device query; null for a group by list' }),
  device_count: Type.Union([Type.Integer(), Type.Null()], {
    description: 'devices in its own list, without those of the groups below; null for a group by query',
  }),
  created_at: Timestamp,
  updated_at: Timestamp,
});

/** Devices that are put into a group by list, or taken out of it. */
export const GroupDevices = Type.Object(
  { device_ids: Type.Array(Uuid, { minItems: 1, maxItems: MAX_GROUP_CHANGE }) },
  closed,
);

export type NewDeviceGroup = Static<typeof NewDeviceGroup>;
export type DeviceGroupPatch = Static<typeof DeviceGroupPatch>;
export type DeviceGroup = Static<typeof DeviceGroup>;
export type GroupDevices = Static<typeof GroupDevices>;

const which = { project_id: ProjectId, id: Uuid };

/** `changed`: how many of the devices were really put in or taken out. */
const Membership = Type.Object({ changed: Type.Integer(), group: DeviceGroup });

export const deviceGroups = {
  /** The id comes from the caller, so that asking again creates nothing twice. */
  createGroup: defineRpc('device-state', 'createGroup', Type.Object({ ...which, group: NewDeviceGroup }), DeviceGroup),
  getGroup: defineRpc('device-state', 'getGroup', Type.Object(which), DeviceGroup),
  /** In the order of their ids. `parent_id` null: those at the top. */
  listGroups: defineRpc(
    'device-state',
    'listGroups',
    Type.Object({
      project_id: ProjectId,
      parent_id: Type.Optional(groupFields.parent_id),
      name_prefix: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
      ...keysetPage,
    }),
    Type.Object({ groups: Type.Array(DeviceGroup), next: Type.Union([Uuid, Type.Null()]) }),
  ),
  patchGroup: defineRpc('device-state', 'patchGroup', Type.Object({ ...which, patch: DeviceGroupPatch }), DeviceGroup),
  deleteGroup: defineRpc('device-state', 'deleteGroup', Type.Object(which), Type.Object({})),
  /** Its members, those of the groups below it included, in the order of their ids. */
  listGroupDevices: defineRpc(
    'device-state',
    'listGroupDevices',
    Type.Object({ ...which, ...keysetPage }),
    Type.Object({ devices: Type.Array(Device), next: Type.Union([Uuid, Type.Null()]) }),
  ),
  addToGroup: defineRpc(
    'device-state',
    'addToGroup',
    Type.Object({ ...which, ...GroupDevices.properties }),
    Membership,
  ),
  removeFromGroup: defineRpc(
    'device-state',
    'removeFromGroup',
    Type.Object({ ...which, ...GroupDevices.properties }),
    Membership,
  ),
} as const;
