import Type, { type Static } from 'typebox';
import { defineRpc } from './rpc.js';
import { JsonObject, ProjectId, Timestamp, Uuid } from './schema.js';

/** One thing that happened to a device. `id`: of the entry; `at`: to the microsecond. */
export const TimelineEntry = Type.Object({
  at: Timestamp,
  id: Uuid,
  entity: Type.String({ description: 'what changed: device, drift, deployment' }),
  entity_id: Uuid,
  state: Type.String(),
  reason: Type.String(),
  detail: JsonObject,
});
export type TimelineEntry = Static<typeof TimelineEntry>;

export const deviceTimeline = {
  /** What device-state knows to have happened to a device, newest first: those before an entry, if one is named. */
  timeline: defineRpc(
    'device-state',
    'timeline',
    Type.Object({
      project_id: ProjectId,
      device_id: Uuid,
      before: Type.Optional(Type.Object({ at: Timestamp, id: Uuid })),
      limit: Type.Integer({ minimum: 1, maximum: 1000 }),
    }),
    Type.Object({ entries: Type.Array(TimelineEntry) }),
  ),
} as const;
