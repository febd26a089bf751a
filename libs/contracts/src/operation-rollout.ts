import Type, { type Static } from 'typebox';
import { commandWork } from './command-dispatcher.js';
import { CommandName } from './command.js';
import { DeviceQuery } from './device-state.js';
import { defineEntity } from './entity.js';
import { jobTaskEntity } from './job-planner.js';
import { Progress, Rollout, ROLLOUT_WAITS, RolloutPlan } from './rollout.js';
import { defineRpc } from './rpc.js';
import { ProjectId, Uuid } from './schema.js';
import { BATCH_SIZE, defineWork } from './work.js';

/**
 * A device's part in the rollout of an operation, with the id of its device operation: job-planner decides when it begins and how it ends,
 * device-state asks for its command and keeps what the outside sees. Its words are those of a job's tasks.
 */
export const operationPartEntity = defineEntity('operation-part', 'job-planner', jobTaskEntity.states, {
  operation_id: Uuid,
  device_id: Uuid,
});

/** How a part may end. `unknown`: its device said that it succeeded, and did not show it. */
export const PART_ENDS = [
  'succeeded',
  'failed',
  'timed_out',
  'never_contacted',
  'rejected',
  'unknown',
  'cancelled',
] as const;

const End = { end: Type.Enum([...PART_ENDS]), reason: Type.String() };
const PartEnd = Type.Object({ ref: Uuid, ...End });
export type PartEnd = Static<typeof PartEnd>;

const Wait = Type.Enum([...ROLLOUT_WAITS]);

const operationKey = { project_id: ProjectId, id: Uuid };

/** Questions about operations that are rolled out. */
export const operationRollouts = {
  /** Rolls out an operation whose devices are known. Asking again changes nothing. */
  startOperationRollout: defineRpc(
    'job-planner',
    'startOperationRollout',
    Type.Object({ ...operationKey, operation: CommandName, requested_by: Uuid, rollout: Rollout }),
    Type.Object({}),
  ),
  /** No further device begins, and the commands under way are cancelled. One that is not known, or has ended, stays as it is. */
  stopOperationRollout: defineRpc(
    'job-planner',
    'stopOperationRollout',
    Type.Object({ ...operationKey, reason: Type.String() }),
    Type.Object({}),
  ),
  /**
   * Of these parts, those that have ended. `over`: none is open, or the rollout is not known; `reason`: as the word says it that it is over;
   * `rest`: how those end, once it is over, that it never came to; `waits_for`: what lets no further device begin now, `null` once it is over.
   */
  operationPartEnds: defineRpc(
    'job-planner',
    'operationPartEnds',
    Type.Object({ ...operationKey, refs: Type.Array(Uuid, { maxItems: BATCH_SIZE }) }),
    Type.Object({
      over: Type.Boolean(),
      reason: Type.String(),
      ends: Type.Array(PartEnd),
      rest: Type.Object(End),
      waits_for: Type.Union([Wait, Type.Null()]),
    }),
  ),
  /** `null`: it has not begun. */
  operationProgress: defineRpc(
    'job-planner',
    'operationProgress',
    Type.Object(operationKey),
    Type.Object({ progress: Type.Union([Progress, Type.Null()]) }),
  ),
  /** The device operations that have not begun, by the ids of their devices after one of them; `query`: of devices that match it now. */
  listOperationParts: defineRpc(
    'device-state',
    'listOperationParts',
    Type.Object({
      ...operationKey,
      query: Type.Optional(DeviceQuery),
      after: Type.Optional(Uuid),
      limit: Type.Integer({ minimum: 1, maximum: BATCH_SIZE }),
    }),
    Type.Object({
      parts: Type.Array(Type.Object({ id: Uuid, device_id: Uuid, timezone: Type.String() })),
      next: Type.Union([Uuid, Type.Null()]),
    }),
  ),
  /** What the rollout of an operation over the devices that match would do (rollout.md, plan); nothing is written. Without `query`: over every device. */
  planOperationRollout: defineRpc(
    'job-planner',
    'planOperationRollout',
    Type.Object({ project_id: ProjectId, operation: CommandName, query: Type.Optional(DeviceQuery), rollout: Rollout }),
    RolloutPlan,
  ),
} as const;

/** What job-planner asks of device-state for the parts of a rollout, in the words in which commands are asked for. */
export const operationRolloutWork = {
  /** Of the head, device-state takes the times and the priority; what the device is told is its own. Asking again gives the outcome again. */
  request: defineWork(
    'device-state',
    'operation_part_request',
    commandWork.request.head.properties,
    commandWork.request.item.properties,
  ),
  cancel: defineWork(
    'device-state',
    'operation_part_cancel',
    commandWork.cancel.head.properties,
    commandWork.cancel.item.properties,
  ),
  /** These parts have ended. */
  end: defineWork('device-state', 'operation_part_end', { operation_id: Uuid }, PartEnd.properties),
  /** What lets no further device of these rollouts begin now; a word that is lost or overtaken is made good by `operationPartEnds`. */
  waits: defineWork('device-state', 'operation_rollout_waits', {}, { operation_id: Uuid, waits_for: Wait }),
  /** These rollouts have no open part any more. `reason`: why not every device has had its turn; empty where all have. */
  over: defineWork('device-state', 'operation_rollout_over', {}, { operation_id: Uuid, reason: Type.String() }),
} as const;

/** What device-state asks of job-planner for the parts of a rollout, beside the outcomes of their commands. */
export const operationPartWork = {
  /** These were ended by the word of a user or a service: nothing of theirs is to be awaited or tried again, whatever their commands come to. */
  ended: defineWork('job-planner', 'operation_part_ended', { operation_id: Uuid }, PartEnd.properties),
} as const;
