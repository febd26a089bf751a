import Type, { type Static } from 'typebox';
import { keysetPage } from './device-state.js';
import { defineEntity } from './entity.js';
import { defineRpc } from './rpc.js';
import { ProjectId, Timestamp, Uuid } from './schema.js';

/** The most paths that a drift lists. */
export const MAX_DRIFT_PATHS = 100;

const Paths = Type.Array(Type.String(), {
  maxItems: MAX_DRIFT_PATHS,
  description: 'dotted paths of what is desired and not reported any more',
});

/** A device has one drift, which is opened and resolved as often as the device drifts. */
export const driftEntity = defineEntity('drift', 'device-state', ['DRIFTED', 'RESOLVED'], {
  device_id: Uuid,
  paths: Paths,
});

/** A device that drifted once at least. */
export const Drift = Type.Object({
  id: Uuid,
  device_id: Uuid,
  device_name: Type.String(),
  state: Type.Enum([...driftEntity.states]),
  reason: Type.String({
    description:
      'why it is resolved: `converged` or `desired changed`; while it is open, which operation converges it again, or why it is left alone',
  }),
  since: Timestamp,
  paths: Paths,
  source_id: Type.Union([Uuid, Type.Null()], {
    description: 'the operation that had it converged again, if one did',
  }),
  attempts: Type.Integer({ description: 'how often it did so within its window' }),
});
export type Drift = Static<typeof Drift>;

export const drifts = {
  /** In the order of their ids. */
  listDrifts: defineRpc(
    'device-state',
    'listDrifts',
    Type.Object({ project_id: ProjectId, state: Type.Optional(Drift.properties.state), ...keysetPage }),
    Type.Object({ drifts: Type.Array(Drift), next: Type.Union([Uuid, Type.Null()]) }),
  ),
} as const;
