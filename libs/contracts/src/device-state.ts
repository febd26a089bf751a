import Type, { type Static } from 'typebox';
import { defineEntity } from './entity.js';
import { defineRpc } from './rpc.js';
import { JsonObject, nameOfAtMost, ProjectId, Timestamp, Uuid } from './schema.js';
import { defineWork } from './work.js';

export const deviceEntity = defineEntity('device', 'device-state', ['REGISTERED', 'ONLINE', 'OFFLINE'], {
  name: Type.String(),
});

const closed = { additionalProperties: false };

const deviceFields = {
  name: nameOfAtMost(128),
  alias: Type.String({ maxLength: 256 }),
  type: Type.String({ minLength: 1, maxLength: 64 }),
  timezone: Type.String({ minLength: 1, maxLength: 64, description: 'IANA name, e.g. Europe/Paris' }),
  tags: Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { maxItems: 64, uniqueItems: true }),
  attributes: JsonObject,
  desired: JsonObject,
};

/** What one registers a device with; `name` is unique in its project. */
export const NewDevice = Type.Object(
  {
    name: deviceFields.name,
    alias: Type.Optional(deviceFields.alias),
    type: Type.Optional(deviceFields.type),
    timezone: Type.Optional(deviceFields.timezone),
    tags: Type.Optional(deviceFields.tags),
    attributes: Type.Optional(deviceFields.attributes),
    desired: Type.Optional(deviceFields.desired),
  },
  closed,
);

/** A change of a device; `attributes` and `desired` are merged (RFC 7396: null removes). */
export const DevicePatch = Type.Object(
  {
    alias: Type.Optional(deviceFields.alias),
    type: Type.Optional(deviceFields.type),
    timezone: Type.Optional(deviceFields.timezone),
    tags: Type.Optional(deviceFields.tags),
    attributes: Type.Optional(deviceFields.attributes),
    desired: Type.Optional(deviceFields.desired),
  },
  { ...closed, minProperties: 1 },
);

/** A device as everybody sees it (interfaces §6). */
export const Device = Type.Object({
  id: Uuid,
  project_id: ProjectId,
  ...deviceFields,
  state: Type.Enum([...deviceEntity.states]),
  online: Type.Boolean(),
  last_seen: Type.Union([Timestamp, Type.Null()]),
  reported: JsonObject,
  drifted: Type.Boolean({ description: 'its reported state had all that is desired, and lost some of it' }),
  agent: Type.Union([
    Type.Object({ agent: Type.String(), version: Type.String(), boot_id: Type.String() }),
    Type.Null(),
  ]),
  version: Type.Integer(),
  created_at: Timestamp,
  updated_at: Timestamp,
});

/** A device with what it lacks. */
export const DeviceDetail = Type.Object({
  ...Device.properties,
  difference: Type.Record(Type.String(), Type.Unknown(), {
    description: 'merge patch (RFC 7396) that brings `reported` to `desired`',
  }),
});

const AttributeValue = Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]);
const Tag = Type.String({ minLength: 1, maxLength: 64 });

/** The conditions of a query whose schema has this name. */
const conditionsOf = <const Name extends string>(name: Name) =>
  Type.Object(
    {
      ids: Type.Optional(Type.Array(Uuid, { maxItems: 10_000 })),
      name_prefix: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
      group: Type.Optional(
        Type.String({ format: 'uuid', description: 'the device is a member of the group, or of one below it' }),
      ),
      tags: Type.Optional(
        Type.Union([Tag, Type.Array(Tag, { minItems: 1, maxItems: 64 })], {
          description: 'the device has it, or all of them',
        }),
      ),
      type: Type.Optional(Type.String()),
      attributes: Type.Optional(Type.Record(Type.String(), AttributeValue)),
      state: Type.Optional(Type.Enum([...deviceEntity.states])),
      online: Type.Optional(Type.Boolean()),
      drifted: Type.Optional(Type.Boolean()),
      and: Type.Optional(Type.Array(Type.Ref(name), { minItems: 1, maxItems: 32 })),
      or: Type.Optional(Type.Array(Type.Ref(name), { minItems: 1, maxItems: 32 })),
      not: Type.Optional(Type.Ref(name)),
    },
    { ...closed, patternProperties: { '^attributes\\..': AttributeValue }, minProperties: 1 },
  );

/**
 * Which devices: all of the conditions that are present must hold. `attributes` maps a dotted path to the value it must have; a path may also
 * stand for itself, as `attributes.<path>`. The conditions nest with `and`, `or`, `not`, and through the groups that they name.
 */
export const DeviceQuery = Type.Cyclic({ Query: conditionsOf('Query') }, 'Query');
/** {@link DeviceQuery} for a document that has another one: no two schemas in it may have one name. */
export const WaveQuery = Type.Cyclic({ WaveQuery: conditionsOf('WaveQuery') }, 'WaveQuery');

export type AttributeValue = Static<typeof AttributeValue>;

/** Written out because the schema refers to itself. */
export interface DeviceQuery {
  ids?: string[];
  name_prefix?: string;
  group?: string;
  tags?: string | string[];
  type?: string;
  attributes?: Record<string, AttributeValue>;
  [path: `attributes.${string}`]: AttributeValue;
  state?: (typeof deviceEntity.states)[number];
  online?: boolean;
  drifted?: boolean;
  and?: DeviceQuery[];
  or?: DeviceQuery[];
  not?: DeviceQuery;
}

export type NewDevice = Static<typeof NewDevice>;
export type DevicePatch = Static<typeof DevicePatch>;
export type Device = Static<typeof Device>;
export type DeviceDetail = Static<typeof DeviceDetail>;

/** What a request for a keyset page says: which part, and how much. */
export const keysetPage = { after: Type.Optional(Uuid), limit: Type.Integer({ minimum: 1, maximum: 1000 }) };

/** What became of one device of a register request. `exists`: the name is taken by `id`, which was left as it was. */
export const RegisterResult = Type.Object({
  id: Uuid,
  name: Type.String(),
  status: Type.Enum(['created', 'exists']),
});

/** Most bytes, as JSON, of a value that a rollout asks devices to show. */
export const MAX_REPORTED_VALUE = 1_024;

export const deviceState = {
  /** Registers up to 500 devices; ids come from the caller, so that asking again creates nothing twice. */
  registerDevices: defineRpc(
    'device-state',
    'registerDevices',
    Type.Object({
      project_id: ProjectId,
      devices: Type.Array(Type.Object({ id: Uuid, device: NewDevice }), { maxItems: 500 }),
    }),
    Type.Object({ results: Type.Array(RegisterResult) }),
  ),
  getDevice: defineRpc('device-state', 'getDevice', Type.Object({ project_id: ProjectId, id: Uuid }), DeviceDetail),
  listDevices: defineRpc(
    'device-state',
    'listDevices',
    Type.Object({ project_id: ProjectId, query: Type.Optional(DeviceQuery), ...keysetPage }),
    Type.Object({ devices: Type.Array(Device), next: Type.Union([Uuid, Type.Null()]) }),
  ),
  patchDevice: defineRpc(
    'device-state',
    'patchDevice',
    Type.Object({ project_id: ProjectId, id: Uuid, patch: DevicePatch }),
    DeviceDetail,
  ),
  /** The devices of a query in pages, ordered by id, or by name below a prefix: what a planner needs of each and no more. */
  resolve: defineRpc(
    'device-state',
    'resolve',
    Type.Object({ project_id: ProjectId, query: Type.Optional(DeviceQuery), ...keysetPage }),
    Type.Object({
      devices: Type.Array(Type.Object({ id: Uuid, name: Type.String(), timezone: Type.String() })),
      next: Type.Union([Uuid, Type.Null()]),
    }),
  ),
  /** Of up to 500 ids, those that exist, with what they report at a dotted path; absent where that is nothing, or more than {@link MAX_REPORTED_VALUE}. */
  reportedAt: defineRpc(
    'device-state',
    'reportedAt',
    Type.Object({
      project_id: ProjectId,
      ids: Type.Array(Uuid, { maxItems: 500 }),
      path: Type.String({ minLength: 1, maxLength: 256 }),
    }),
    Type.Object({ devices: Type.Array(Type.Object({ id: Uuid, value: Type.Optional(Type.Unknown()) })) }),
  ),
  /** Of up to 500 ids, those that exist, with their presence and the version of the device that it belongs to. */
  presence: defineRpc(
    'device-state',
    'presence',
    Type.Object({ project_id: ProjectId, ids: Type.Array(Uuid, { maxItems: 500 }) }),
    Type.Object({ devices: Type.Array(Type.Object({ id: Uuid, online: Type.Boolean(), version: Type.Integer() })) }),
  ),
} as const;

/** The commands whose success makes, changes or removes a deployment on their device. */
export const DEPLOYMENT_COMMANDS = ['deployment_deploy', 'deployment_upgrade', 'deployment_remove'] as const;

/** Work for device-state. */
export const deviceWork = {
  /**
   * Commands of {@link DEPLOYMENT_COMMANDS} that succeeded. What all devices were told stands once, in the head: an item's own `args` are laid
   * over the head's, as they were for the device.
   */
  deployed: defineWork(
    'device-state',
    'deployed',
    { command: Type.Enum([...DEPLOYMENT_COMMANDS]), args: JsonObject },
    {
      /** `args.deployment_id`, or the command's id where that is not a UUID. */
      deployment_id: Uuid,
      device_id: Uuid,
      command_id: Uuid,
      args: JsonObject,
      /** Of what the device proved its success by, `name` and `version`. */
      evidence: Type.Union([JsonObject, Type.Null()]),
    },
  ),
} as const;
