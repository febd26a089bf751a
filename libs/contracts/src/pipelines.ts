import Type, { type Static, type TObject, type TProperties, type TSchema } from 'typebox';
import { CommandName } from './command.js';
import { Device } from './device-state.js';
import { Rollout } from './rollout.js';
import { offsetPage } from './operations.js';
import { defineRpc, type RpcContract } from './rpc.js';
import { JsonObject, nameOfAtMost, ProjectId, Timestamp, Uuid } from './schema.js';

/** The most stages of a pipeline. */
export const MAX_STAGES = 100;
/** The most target lists of a pipeline. */
export const MAX_TARGET_LISTS = 32;
/** The most targets of a target list. */
export const MAX_TARGETS = 100_000;
/** The most targets that one call adds. */
export const MAX_ADDED_TARGETS = 10_000;
/** The most device groups of a target list. */
export const MAX_TARGET_GROUPS = 100;
/** The most operation lists of a stage. */
export const MAX_OPERATION_LISTS = 100;
/** The most operations of a stage, in all its lists. */
export const MAX_STAGE_OPERATIONS = 100;
/** The largest `args` of all operations of a stage together, as JSON text in bytes: its rollout keeps them in one row. */
export const MAX_STAGE_ARGS_BYTES = 256 * 1024;
/** The most devices by which one call looks for targets. */
export const MAX_LOOKED_UP_TARGETS = 1_000;

/** How long a run of a pipeline may take that does not say: 21 days (interfaces §2). */
export const PIPELINE_TIMEOUT_SECONDS = 1_814_400;
/** The same for a run of a stage: 7 days. */
export const STAGE_TIMEOUT_SECONDS = 604_800;

/** What a target list consists of: devices, or groups of devices, whose members are found by each run anew. */
export const TARGET_LIST_TYPES = ['DEVICES', 'GROUPS'] as const;
/** Whether a run goes on to the next stage by itself, or waits until somebody promotes it. */
export const PROMOTIONS = ['auto', 'manual'] as const;
/** What a run does after a stage that failed. */
export const ON_FAILURE = ['stop', 'continue'] as const;
/** How a list of pipelines may be ordered; `-` is downwards. */
export const PIPELINE_ORDERINGS = ['name', '-name'] as const;

const closed = { additionalProperties: false };

const Name = nameOfAtMost(128);
const Description = Type.String({ maxLength: 1024 });
const { name: DeviceName, alias: DeviceAlias } = Device.properties;
const Timeout = Type.Integer({ minimum: 1, maximum: 31_536_000 });
const timeoutOf = (seconds: number) => Type.Optional(Type.Integer({ ...Timeout, default: seconds }));
/** Who acts, where the documents show a number. */
const ActorNumber = Type.Integer();

const authored = { created_by: ActorNumber, updated_by: ActorNumber, created_at: Timestamp, updated_at: Timestamp };

/** Body of `POST /api/pipelines/v0/pipelines/` (interfaces §2 and the vendor's `pipelines-v0.yaml`, as all bodies and documents here). */
export const NewPipeline = Type.Object(
  {
    name: Name,
    description: Type.Optional(Description),
    is_default: Type.Optional(Type.Boolean({ default: false })),
    is_active: Type.Optional(Type.Boolean({ default: true })),
    timeout_seconds: timeoutOf(PIPELINE_TIMEOUT_SECONDS),
  },
  closed,
);

const pipelineFields = {
  name: Name,
  description: Description,
  is_active: Type.Boolean(),
  is_default: Type.Boolean(),
  timeout_seconds: Timeout,
};

/** What a change does not name stays as it is; so it is with all changes here. */
export const PipelineChange = Type.Partial(Type.Object(pipelineFields), closed);

/**
 * A pipeline: stages that a run passes in their order. `is_valid` follows from the others: it has a stage, and each of its stages has an
 * operation and a target, which is an active one or a group of devices.
 */
export const Pipeline = Type.Object({
  id: Uuid,
  ...pipelineFields,
  is_valid: Type.Boolean(),
  ...authored,
});

/** A new stage comes last. */
export const NewStage = Type.Object(
  {
    name: Name,
    description: Type.Optional(Description),
    timeout_seconds: timeoutOf(STAGE_TIMEOUT_SECONDS),
    promotion: Type.Optional(Type.Enum([...PROMOTIONS], { default: 'auto' })),
    on_failure: Type.Optional(Type.Enum([...ON_FAILURE], { default: 'stop' })),
    rollout: Type.Optional(Rollout),
  },
  closed,
);

const stageFields = {
  name: Name,
  description: Description,
  timeout_seconds: Timeout,
  order: Type.Integer({ minimum: 1, maximum: MAX_STAGES }),
  promotion: Type.Enum([...PROMOTIONS]),
  on_failure: Type.Enum([...ON_FAILURE]),
  rollout: Rollout,
};

/** The other stages make room for a new `order`. A `rollout` takes the place of the one before. */
export const StageChange = Type.Partial(Type.Object(stageFields), closed);

/** A stage: its operations on the devices of its target lists. `order`, from 1 without gaps, `promotion`, `on_failure` and `rollout` are ours. */
export const Stage = Type.Object({
  id: Uuid,
  pipeline_id: Uuid,
  ...stageFields,
  ...authored,
});

const targetListFields = { name: Name, target_list_type: Type.Enum([...TARGET_LIST_TYPES]) };

export const NewTargetList = Type.Object(targetListFields, closed);
/** The type of a list stays what it is; a change may name it so, as the vendor's clients do. */
export const TargetListChange = Type.Partial(Type.Object(targetListFields), closed);
/** A list of devices, or of groups of devices, that belongs to a pipeline; any of its stages may use it. */
export const TargetList = Type.Object({ id: Uuid, pipeline_id: Uuid, ...targetListFields, ...authored });

const targetFields = { device_id: Uuid, device_name: DeviceName, device_alias: DeviceAlias, is_active: Type.Boolean() };

/** The name is the device's own unless told. */
export const NewTarget = Type.Object(
  {
    device_id: Uuid,
    device_name: Type.Optional(DeviceName),
    device_alias: Type.Optional(DeviceAlias),
    is_active: Type.Optional(Type.Boolean({ default: true })),
  },
  closed,
);
/** So with the device of a target, and with its alias. */
export const TargetChange = Type.Partial(Type.Object(targetFields), closed);
/** A device in a target list; runs leave out those that are not active. */
export const Target = Type.Object({ id: Uuid, pipeline_id: Uuid, ...targetFields, ...authored });
/** The devices of one call of `targets-bulk`. */
export const AddedDevices = Type.Array(Uuid, { maxItems: MAX_ADDED_TARGETS });

export const NewTargetListDeviceGroup = Type.Object({ device_group_id: Uuid }, closed);
/** A group of devices in a target list of type GROUPS. */
export const TargetListDeviceGroup = Type.Object({
  id: Uuid,
  device_group_id: Uuid,
  target_list_id: Uuid,
  ...authored,
});

export const NewOperationList = Type.Object({ name: Name, description: Type.Optional(Description) }, closed);
export const OperationListChange = Type.Partial(NewOperationList, closed);
/** A list of operations that belongs to a stage. */
export const OperationList = Type.Object({
  id: Uuid,
  pipeline_id: Uuid,
  stage_id: Uuid,
  name: Name,
  description: Description,
  ...authored,
});

export const NewPipelineOperation = Type.Object(
  { operation_type: CommandName, args: Type.Optional(JsonObject) },
  closed,
);
export const PipelineOperationChange = Type.Partial(NewPipelineOperation, closed);
/** What a stage asks of each of its devices: a command with its arguments. */
export const PipelineOperation = Type.Object({
  id: Uuid,
  operation_list_id: Uuid,
  pipeline_id: Uuid,
  operation_type: CommandName,
  args: JsonObject,
  ...authored,
});

export type NewPipeline = Static<typeof NewPipeline>;
export type PipelineChange = Static<typeof PipelineChange>;
export type Pipeline = Static<typeof Pipeline>;
export type NewStage = Static<typeof NewStage>;
export type StageChange = Static<typeof StageChange>;
export type Stage = Static<typeof Stage>;
export type NewTargetList = Static<typeof NewTargetList>;
export type TargetListChange = Static<typeof TargetListChange>;
export type TargetList = Static<typeof TargetList>;
export type NewTarget = Static<typeof NewTarget>;
export type TargetChange = Static<typeof TargetChange>;
export type Target = Static<typeof Target>;
export type AddedDevices = Static<typeof AddedDevices>;
export type NewTargetListDeviceGroup = Static<typeof NewTargetListDeviceGroup>;
export type TargetListDeviceGroup = Static<typeof TargetListDeviceGroup>;
export type NewOperationList = Static<typeof NewOperationList>;
export type OperationListChange = Static<typeof OperationListChange>;
export type OperationList = Static<typeof OperationList>;
export type NewPipelineOperation = Static<typeof NewPipelineOperation>;
export type PipelineOperationChange = Static<typeof PipelineOperationChange>;
export type PipelineOperation = Static<typeof PipelineOperation>;

const pageOf = <Document extends TSchema>(document: Document) =>
  Type.Object({ count: Type.Integer(), results: Type.Array(document) });

/** What lies above a thing: the ids in its path. Those of another project, or of another parent, are not there. */
const below = <Parent extends TProperties>(parent: Parent) => ({ project_id: ProjectId, ...parent });

/** The id of a create comes from the caller, so that asking again creates nothing twice. A delete answers what there was. */
const kept = <Parent extends TProperties, Document extends TSchema, Definition extends TSchema>(
  name: string,
  parent: Parent,
  document: Document,
  definition: Definition,
) => ({
  create: defineRpc(
    'job-planner',
    `create${name}`,
    Type.Object({ ...below(parent), id: Uuid, definition, by: ActorNumber }),
    document,
  ),
  get: defineRpc('job-planner', `get${name}`, Type.Object({ ...below(parent), id: Uuid }), document),
  delete: defineRpc('job-planner', `delete${name}`, Type.Object({ ...below(parent), id: Uuid }), document),
});

const listed = <Filter extends TProperties, Document extends TSchema>(
  name: string,
  filter: Filter,
  document: Document,
) => defineRpc('job-planner', `list${name}`, Type.Object({ ...below(filter), ...offsetPage }), pageOf(document));

const changed = <Parent extends TProperties, Document extends TSchema, Change extends TObject>(
  name: string,
  parent: Parent,
  document: Document,
  change: Change,
) =>
  defineRpc(
    'job-planner',
    `change${name}`,
    Type.Object({ ...below(parent), id: Uuid, change, by: ActorNumber }),
    document,
  );

const ofPipeline = { pipeline_id: Uuid };
const ofTargetList = { ...ofPipeline, target_list_id: Uuid };
const ofStage = { stage_id: Uuid };
const ofOperationList = { operation_list_id: Uuid };
const linkKey = { ...below(ofStage), target_list_id: Uuid };

/** Questions about the definitions of pipelines, and what users do to them. */
export const pipelines = {
  pipeline: {
    ...kept('Pipeline', {}, Pipeline, NewPipeline),
    /** In the order of their ids unless told. */
    list: listed(
      'Pipelines',
      {
        name: Type.Optional(Type.String({ maxLength: 128 })),
        is_default: Type.Optional(Type.Boolean()),
        ordering: Type.Optional(Type.Enum([...PIPELINE_ORDERINGS])),
      },
      Pipeline,
    ),
    change: changed('Pipeline', {}, Pipeline, PipelineChange),
  },
  stage: {
    ...kept('Stage', ofPipeline, Stage, NewStage),
    /** In their order. */
    list: listed('Stages', ofPipeline, Stage),
    change: changed('Stage', ofPipeline, Stage, StageChange),
  },
  targetList: {
    ...kept('TargetList', ofPipeline, TargetList, NewTargetList),
    list: listed('TargetLists', ofPipeline, TargetList),
    change: changed('TargetList', ofPipeline, TargetList, TargetListChange),
  },
  target: {
    ...kept('Target', ofTargetList, Target, NewTarget),
    /** `device_ids`: only those of these devices. */
    list: listed(
      'Targets',
      { ...ofTargetList, device_ids: Type.Optional(Type.Array(Uuid, { maxItems: MAX_LOOKED_UP_TARGETS })) },
      Target,
    ),
    change: changed('Target', ofTargetList, Target, TargetChange),
    /** All of them or, where one is `invalid`, none; those that are in the list already stay as they are. `added`: how many were not. */
    addAll: defineRpc(
      'job-planner',
      'addTargets',
      Type.Object({ ...below(ofTargetList), device_ids: AddedDevices, by: ActorNumber }),
      Type.Object({ added: Type.Integer() }),
    ),
  },
  /** The `id` of one to get or delete may be its own or that of its device group. */
  targetListDeviceGroup: {
    ...kept('TargetListDeviceGroup', ofTargetList, TargetListDeviceGroup, NewTargetListDeviceGroup),
    list: listed('TargetListDeviceGroups', ofTargetList, TargetListDeviceGroup),
  },
  /** The target lists of a stage; linking one again changes nothing. */
  stageTargetList: {
    link: defineRpc('job-planner', 'linkTargetList', Type.Object(linkKey), TargetList),
    unlink: defineRpc('job-planner', 'unlinkTargetList', Type.Object(linkKey), TargetList),
    list: listed(
      'StageTargetLists',
      { ...ofStage, target_list_type: Type.Optional(TargetList.properties.target_list_type) },
      TargetList,
    ),
  },
  operationList: {
    ...kept('OperationList', ofStage, OperationList, NewOperationList),
    list: listed('OperationLists', ofStage, OperationList),
    change: changed('OperationList', ofStage, OperationList, OperationListChange),
  },
  operation: {
    ...kept('PipelineOperation', ofOperationList, PipelineOperation, NewPipelineOperation),
    /** In the order of their creation. */
    list: listed(
      'PipelineOperations',
      { ...ofOperationList, operation_type: Type.Optional(CommandName) },
      PipelineOperation,
    ),
    change: changed('PipelineOperation', ofOperationList, PipelineOperation, PipelineOperationChange),
  },
} as const;

/** All of {@link pipelines}. */
export const pipelineRpcs: readonly RpcContract[] = Object.values(pipelines).flatMap((group) =>
  Object.values<RpcContract>(group),
);
