import Type, { type Static } from 'typebox';
import { commandEntity } from './command.js';
import { deploymentEntity } from './deployment.js';
import { deviceEntity } from './device-state.js';
import { driftEntity } from './drift.js';
import { jobTaskEntity } from './job-planner.js';
import { deviceOperationEntity } from './operations.js';
import { targetRunEntity } from './pipeline-runs.js';
import { defineRpc } from './rpc.js';
import { ExactTime, JsonObject, ProjectId, Uuid } from './schema.js';
import type { ServiceName } from './services.js';

/** What happens to a device. */
export const TIMELINE_ENTITIES = [
  deviceEntity.name,
  driftEntity.name,
  deploymentEntity.name,
  deviceOperationEntity.name,
  commandEntity.name,
  jobTaskEntity.name,
  targetRunEntity.name,
];

/** One thing that happened to a device: that an entity came into a state. A reason is known of each entity's present state, of drifts always. */
export const TimelineEntry = Type.Object({
  at: ExactTime,
  id: Type.String({ format: 'uuid', description: 'of the entry' }),
  entity: Type.Enum(TIMELINE_ENTITIES),
  entity_id: Uuid,
  state: Type.String(),
  reason: Type.String(),
  detail: JsonObject,
});
export type TimelineEntry = Static<typeof TimelineEntry>;

/**
 * What a service knows to have happened to a device: newest first by `at` and then `id`, those before an entry if one is named. `more`: others
 * follow; a page may hold fewer than `limit` and yet have more, as its bytes are limited too.
 */
export const defineTimeline = (service: ServiceName) =>
  defineRpc(
    service,
    'timeline',
    Type.Object({
      project_id: ProjectId,
      device_id: Uuid,
      before: Type.Optional(Type.Object({ at: ExactTime, id: Uuid })),
      limit: Type.Integer({ minimum: 1, maximum: 1000 }),
    }),
    Type.Object({ entries: Type.Array(TimelineEntry), more: Type.Boolean() }),
  );

export type TimelineRpc = ReturnType<typeof defineTimeline>;

/** Who knows what happened to devices. device-state alone knows which devices there are, and refuses others as `not_found`. */
export const timelines = {
  'device-state': defineTimeline('device-state'),
  'command-dispatcher': defineTimeline('command-dispatcher'),
  'job-planner': defineTimeline('job-planner'),
} as const;
