import Type, { type Static, type TObjectOptions } from 'typebox';
import { OutcomeHead, OutcomeItem, StepHead, StepItem } from './command-dispatcher.js';
import { CommandName } from './command.js';
import { DeviceQuery } from './device-state.js';
import { defineEntity } from './entity.js';
import { Progress, Rollout, RolloutPlan } from './rollout.js';
import { defineRpc } from './rpc.js';
import { ScheduleArgs, SCHEDULES } from './schedule.js';
import { JsonObject, ProjectId, Timestamp, Uuid } from './schema.js';
import { defineWork } from './work.js';

/** Every state of an operation with the number that stands for it as well (interfaces §3), in their order. */
export const OPERATION_STATES = {
  CREATED: 10,
  SCHEDULED: 100,
  RESOLVING: 20,
  RESOLVED: 30,
  DISPATCHING: 40,
  DISPATCHED: 50,
  PROCESSING: 60,
  COMPLETED: 70,
  SUCCESS: 80,
  FAILURE: 90,
  CANCELLED: 110,
  TIMEOUT: 120,
} as const;

/** The same of a device operation. */
export const DEVICE_OPERATION_STATES = {
  CREATED: 10,
  INITIATED: 20,
  DISPATCHED: 30,
  PROCESSING: 40,
  COMPLETED: 90,
  SUCCESS: 50,
  FAILURE: 60,
  CANCELLED: 70,
  TIMEOUT: 80,
} as const;

export type OperationState = keyof typeof OPERATION_STATES;
export type DeviceOperationState = keyof typeof DEVICE_OPERATION_STATES;

const words = <State extends string>(states: Readonly<Record<State, number>>) => Object.keys(states) as State[];

export const operationEntity = defineEntity('operation', 'device-state', words(OPERATION_STATES), {
  operation: Type.String(),
  source_id: Type.Union([Uuid, Type.Null()], {
    description: 'the operation for which this one converges again what drifted, if it does',
  }),
});
export const deviceOperationEntity = defineEntity('device-operation', 'device-state', words(DEVICE_OPERATION_STATES), {
  operation_id: Uuid,
  device_id: Uuid,
});

const closed = { additionalProperties: false };

/** The operation that brings devices from what they report to what they should be. */
export const CONVERGE = 'CONVERGE';

/** A device that a CONVERGE converged and that drifts later is converged again, at most `max` times in a window of so many seconds. */
export const Reconverge = Type.Object(
  {
    max: Type.Integer({ minimum: 1, maximum: 10 }),
    window_seconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 2_592_000, default: 86_400 })),
  },
  closed,
);

/** What Muster itself reads of the `arguments` of a CONVERGE; the rest is its maker's own. */
export const ConvergeArguments = Type.Object({
  converge_with_provision: Type.Optional(Type.Boolean()),
  reconverge: Type.Optional(Reconverge),
});

const { properties: conditions } = DeviceQuery.$defs.Query;
const { patternProperties = {} }: TObjectOptions = { ...DeviceQuery.$defs.Query };

/** {@link DeviceQuery} that may be empty, as the seed shows it: every device of the project. */
export const OperationDeviceQuery = Type.Cyclic(
  { ...DeviceQuery.$defs, Devices: Type.Object(conditions, { ...closed, patternProperties }) },
  'Devices',
  { description: 'empty: every device of the project' },
);

const Reason = Type.String({ maxLength: 512 });

/** Body of `POST /api/v0/operations/` (seed 001, interfaces §3). Commands alone recur. */
export const NewOperation = Type.Object(
  {
    operation: CommandName,
    schedule_type: Type.Optional(
      Type.Enum([...SCHEDULES], { default: 'IMMEDIATE', description: 'RECURRING is for commands only' }),
    ),
    schedule_args: Type.Optional(ScheduleArgs),
    operation_device_query: OperationDeviceQuery,
    arguments: Type.Optional(JsonObject),
    reason: Type.Optional(Reason),
    rollout: Type.Optional(Rollout),
  },
  closed,
);

/**
 * Exact at every moment. `resolved`: device operations there are. `dispatched`: those whose command was ever sent, that is, that were ever
 * DISPATCHED. `dispatch_failed`: ended FAILURE or TIMEOUT without ever being DISPATCHED. `failed`: ended FAILURE or TIMEOUT after that, or for
 * want of proof. `success`: ended SUCCESS. Cancelled ones are in `resolved`, and in `dispatched` if they were.
 */
export const DeviceOperationCounts = Type.Object({
  resolved_device_count: Type.Integer(),
  dispatched_device_count: Type.Integer(),
  dispatch_failed_count: Type.Integer(),
  failed_device_count: Type.Integer(),
  success_device_count: Type.Integer(),
});

/** The document of seed 001. `reason`: of the present state, or what its maker gave. */
export const Operation = Type.Object({
  id: Uuid,
  operation: Type.String(),
  state: Type.Enum([...operationEntity.states]),
  schedule_type: Type.Enum(['IMMEDIATE', 'WINDOW']),
  schedule_args: ScheduleArgs,
  operation_device_query: OperationDeviceQuery,
  arguments: JsonObject,
  reason: Type.String(),
  created_at: Timestamp,
  created_by: Uuid,
  updated_at: Timestamp,
  updated_by: Uuid,
  operation_activity: Type.Array(
    Type.Object({ operation_state: Type.Enum([...operationEntity.states]), created_at: Timestamp }),
  ),
  operation_stats: Type.Object({ device_operation_statuses_count: DeviceOperationCounts }),
  rollout: Type.Optional(Rollout),
  progress: Type.Optional(
    Type.Union([Progress, Type.Null()], {
      description: 'of one operation that has a `rollout`; null until its devices are known',
    }),
  ),
});

/** One device's part of an operation (seed 001). */
export const DeviceOperation = Type.Object({
  id: Uuid,
  operation_id: Uuid,
  device_id: Uuid,
  state: Type.Enum([...deviceOperationEntity.states]),
  reason: Type.String(),
  created_at: Timestamp,
  updated_at: Timestamp,
  device_operation_activity: Type.Array(
    Type.Object({ device_operation_state: Type.Enum([...deviceOperationEntity.states]), created_at: Timestamp }),
  ),
});

/** What a service says became of a device operation (seed 001). */
export const DeviceOperationReport = Type.Object(
  {
    operation_type: CommandName,
    state: Type.Enum([...deviceOperationEntity.states]),
    service_id: Type.String({ minLength: 1, maxLength: 128 }),
    reason: Type.Optional(Reason),
  },
  closed,
);

/** How lists of operations may be ordered; `-` is downwards. */
export const OPERATION_ORDERINGS = ['created_at', '-created_at', 'updated_at', '-updated_at'] as const;

export type Reconverge = Static<typeof Reconverge>;
/** What TypeBox does not tell of the types of queries. */
interface Queries {
  operation_device_query: DeviceQuery;
  rollout?: Rollout;
}
export type NewOperation = Omit<Static<typeof NewOperation>, keyof Queries> & Queries;
export type Operation = Omit<Static<typeof Operation>, keyof Queries> & Queries;
export type DeviceOperation = Static<typeof DeviceOperation>;
export type DeviceOperationReport = Static<typeof DeviceOperationReport>;
export type OperationOrdering = (typeof OPERATION_ORDERINGS)[number];

const operationKey = { project_id: ProjectId, id: Uuid };
const deviceOperationKey = { project_id: ProjectId, operation_id: Uuid, device_id: Uuid };
/** What a request for a page by offset says: how much, and from where. */
export const offsetPage = { limit: Type.Integer({ minimum: 1, maximum: 1000 }), offset: Type.Integer({ minimum: 0 }) };

/** Questions about operations, and what users and services ask of them. */
export const operations = {
  /** The id comes from the caller, so that asking again creates nothing twice. `timezone`: what `time_type: console` means. */
  createOperation: defineRpc(
    'device-state',
    'createOperation',
    Type.Object({ ...operationKey, operation: NewOperation, created_by: Uuid, timezone: Type.String() }),
    Operation,
  ),
  /** What it would do; nothing is written. Refused as its create is. */
  planOperation: defineRpc(
    'device-state',
    'planOperation',
    Type.Object({ project_id: ProjectId, operation: NewOperation, timezone: Type.String() }),
    RolloutPlan,
  ),
  getOperation: defineRpc('device-state', 'getOperation', Type.Object(operationKey), Operation),
  listOperations: defineRpc(
    'device-state',
    'listOperations',
    Type.Object({
      project_id: ProjectId,
      state: Type.Optional(Type.Enum([...operationEntity.states])),
      operation_type: Type.Optional(CommandName),
      ordering: Type.Enum([...OPERATION_ORDERINGS]),
      ...offsetPage,
    }),
    Type.Object({ count: Type.Integer(), results: Type.Array(Operation) }),
  ),
  /** The operations that a device is or was part of, the newest first. */
  listOperationsOfDevice: defineRpc(
    'device-state',
    'listOperationsOfDevice',
    Type.Object({ project_id: ProjectId, device_id: Uuid, ...offsetPage }),
    Type.Object({ count: Type.Integer(), results: Type.Array(Operation) }),
  ),
  /** Asking again changes nothing; one that has ended otherwise is `invalid`. */
  cancelOperation: defineRpc(
    'device-state',
    'cancelOperation',
    Type.Object({ ...operationKey, reason: Reason, by: Uuid }),
    Operation,
  ),
  listDeviceOperations: defineRpc(
    'device-state',
    'listDeviceOperations',
    Type.Object({
      project_id: ProjectId,
      operation_id: Uuid,
      state: Type.Optional(Type.Enum([...deviceOperationEntity.states])),
      ...offsetPage,
    }),
    Type.Object({ count: Type.Integer(), results: Type.Array(DeviceOperation) }),
  ),
  getDeviceOperation: defineRpc('device-state', 'getDeviceOperation', Type.Object(deviceOperationKey), DeviceOperation),
  cancelDeviceOperation: defineRpc(
    'device-state',
    'cancelDeviceOperation',
    Type.Object({ ...deviceOperationKey, reason: Reason }),
    DeviceOperation,
  ),
  reportDeviceOperation: defineRpc(
    'device-state',
    'reportDeviceOperation',
    Type.Object({ ...deviceOperationKey, report: DeviceOperationReport }),
    DeviceOperation,
  ),
} as const;

/** What command-dispatcher tells of the commands of operations; the operation is the request, the device operation the `ref`. */
export const operationWork = {
  outcome: defineWork('device-state', 'operation_outcome', OutcomeHead, OutcomeItem),
  step: defineWork('device-state', 'operation_step', StepHead, StepItem),
} as const;
