import Type, { type Static } from 'typebox';
import { keysetPage } from './device-state.js';
import { defineEntity } from './entity.js';
import { defineRpc } from './rpc.js';
import { ProjectId, Timestamp, Uuid } from './schema.js';

/** Where an approval stands; `withdrawn`: what asked for it does not go on. */
export const APPROVAL_STATES = ['pending', 'approved', 'rejected', 'withdrawn'] as const;

export const approvalEntity = defineEntity('approval', 'job-planner', APPROVAL_STATES, {
  subject_entity: Type.String(),
  subject_id: Uuid,
});

/** Somebody's word that something waits for: a wave of a rollout. */
export const Approval = Type.Object({
  id: Uuid,
  project_id: ProjectId,
  state: Type.Enum([...APPROVAL_STATES]),
  subject: Type.Object(
    { entity: Type.String(), id: Uuid, name: Type.String(), wave: Type.Integer({ minimum: 1 }) },
    { description: 'what waits for it, and the wave that begins with it, from 1' },
  ),
  requested_by: Uuid,
  requested_at: Timestamp,
  decided_by: Type.Union([Uuid, Type.Null()]),
  decided_at: Type.Union([Timestamp, Type.Null()]),
  comment: Type.String(),
});

/** What an approver says. */
export const Decision = Type.Object(
  { decision: Type.Enum(['approve', 'reject']), comment: Type.Optional(Type.String({ maxLength: 1024 })) },
  { additionalProperties: false },
);

export type ApprovalState = (typeof APPROVAL_STATES)[number];
export type Approval = Static<typeof Approval>;
export type Decision = Static<typeof Decision>;

export const approvals = {
  getApproval: defineRpc('job-planner', 'getApproval', Type.Object({ project_id: ProjectId, id: Uuid }), Approval),
  /** In the order in which they were asked for. */
  listApprovals: defineRpc(
    'job-planner',
    'listApprovals',
    Type.Object({ project_id: ProjectId, state: Type.Optional(Type.Enum([...APPROVAL_STATES])), ...keysetPage }),
    Type.Object({ approvals: Type.Array(Approval), next: Type.Union([Uuid, Type.Null()]) }),
  ),
  /**
   * Lets the wave begin, or cancels its rollout. The same decision again changes nothing; another one is a `conflict`. `own_allowed`: whether who
   * asked may decide; else that is `forbidden`.
   */
  decideApproval: defineRpc(
    'job-planner',
    'decideApproval',
    Type.Object({ project_id: ProjectId, id: Uuid, ...Decision.properties, by: Uuid, own_allowed: Type.Boolean() }),
    Approval,
  ),
} as const;
