import Type, { type Static } from 'typebox';
import { COMMAND_WAITS, commandEntity } from './command.js';
import { jobEntity, jobTaskEntity } from './job-planner.js';
import { deviceOperationEntity, operationEntity } from './operations.js';
import { pipelineRunEntity, stageRunEntity, targetRunEntity } from './pipeline-runs.js';
import { defineRpc } from './rpc.js';
import { ExactTime, ProjectId, Uuid } from './schema.js';
import type { ServiceName } from './services.js';

/**
 * What anything may wait for (rollout.md, promise 5): as a command ({@link COMMAND_WAITS}; `slot`: also a place among those that its job or
 * operation has in flight, or its turn after what comes before it in a run of a pipeline; `in_flight`: also the end of what it started itself), the word of a person, the finding of its devices, its turn,
 * which is now, the report that proves it, or the time between two waves.
 */
export const WAITS = [...COMMAND_WAITS, 'approval', 'resolve', 'dispatch', 'proof', 'soak'] as const;

export type WaitsFor = (typeof WAITS)[number];

/** The entities that wait, by who keeps them. */
export const WAITING_ENTITIES = {
  'device-state': [operationEntity.name, deviceOperationEntity.name],
  'command-dispatcher': [commandEntity.name],
  'job-planner': [
    jobEntity.name,
    jobTaskEntity.name,
    pipelineRunEntity.name,
    stageRunEntity.name,
    targetRunEntity.name,
  ],
} as const;

/** A service that keeps what waits. */
export type WaitingService = keyof typeof WAITING_ENTITIES;

const WaitingEntity = Type.Enum(Object.values(WAITING_ENTITIES).flat());

/** One thing that is not terminal: what it waits for, and until when. No two have the same id. */
export const WaitingEntry = Type.Object({
  entity: WaitingEntity,
  id: Uuid,
  device_id: Type.Union([Uuid, Type.Null()], { description: 'null: it concerns many' }),
  state: Type.String(),
  waits_for: Type.Enum([...WAITS]),
  due_at: Type.Union([ExactTime, Type.Null()], {
    description:
      'when it is looked at next, goes on, or is given up at the latest: of a command in flight first the time at which its device is asked again, ' +
      'and then its deadline; null: only a person ends the wait',
  }),
  reason: Type.String(),
});
export type WaitingEntry = Static<typeof WaitingEntry>;

/**
 * What waits in a service, by `due_at`, null last, and then by `id`; after the one named. What is looked at meanwhile may get a later `due_at`, and
 * so come again further on. `more` is as in a timeline.
 */
export const defineWaiting = (service: ServiceName) =>
  defineRpc(
    service,
    'waiting',
    Type.Object({
      project_id: ProjectId,
      entity: Type.Optional(WaitingEntity),
      after: Type.Optional(Type.Object({ due_at: WaitingEntry.properties.due_at, id: Uuid })),
      limit: Type.Integer({ minimum: 1, maximum: 1000 }),
    }),
    Type.Object({ entries: Type.Array(WaitingEntry), more: Type.Boolean() }),
  );

export type WaitingRpc = ReturnType<typeof defineWaiting>;

/** Who keeps what waits. */
export const waitings = {
  'device-state': defineWaiting('device-state'),
  'command-dispatcher': defineWaiting('command-dispatcher'),
  'job-planner': defineWaiting('job-planner'),
} as const satisfies Record<WaitingService, WaitingRpc>;
