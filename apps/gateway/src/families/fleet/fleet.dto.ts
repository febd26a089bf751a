import {
  Approval,
  DeadLetter,
  deadLetters,
  DeploymentSummary,
  Device,
  DeviceCredential,
  Drift,
  nameOfAtMost,
  ProjectId,
  RegisterResult,
  TimelineEntry,
  Timestamp,
  Uuid,
  WaitingEntry,
} from '@muster/contracts';
import Type, { type Static } from 'typebox';
import { ROLES } from '../../auth/roles.js';

const closed = { additionalProperties: false };

export const DEFAULT_PAGE = 100;

/** The parameters of a keyset page. */
export const keysetParameters = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: DEFAULT_PAGE })),
  after: Type.Optional(Uuid),
};
const NEXT = { description: 'goes back in as `after`; null at the end' };
export const Next = Type.Union([Uuid, Type.Null()], NEXT);

/** The parameters of a page whose places are more than ids. */
const placeParameters = {
  limit: keysetParameters.limit,
  after: Type.Optional(Type.String({ minLength: 1, maxLength: 256, description: '`next` of the page before' })),
};
const NextPlace = Type.Union([Type.String(), Type.Null()], NEXT);

/** A page of a list without filters. */
export const Page = Type.Object(keysetParameters, closed);
export type Page = Static<typeof Page>;

export const ListDevices = Type.Object(
  {
    ...keysetParameters,
    online: Type.Optional(Type.Boolean()),
    state: Type.Optional(Device.properties.state),
    drifted: Type.Optional(Type.Boolean()),
    group: Type.Optional(Uuid),
    type: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    tag: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    name_prefix: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
  },
  closed,
);
export type ListDevices = Static<typeof ListDevices>;

export const DevicePage = Type.Object({ devices: Type.Array(Device), next: Next });

export const ListDrifts = Type.Object({ ...keysetParameters, state: Type.Optional(Drift.properties.state) }, closed);
export type ListDrifts = Static<typeof ListDrifts>;

export const DriftPage = Type.Object({ drifts: Type.Array(Drift), next: Next });

export const ListApprovals = Type.Object(
  { ...keysetParameters, state: Type.Optional(Approval.properties.state) },
  closed,
);
export type ListApprovals = Static<typeof ListApprovals>;

export const ApprovalPage = Type.Object({ approvals: Type.Array(Approval), next: Next });

export const ListDeployments = Type.Object(
  {
    ...keysetParameters,
    device_id: Type.Optional(Uuid),
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
  },
  closed,
);
export type ListDeployments = Static<typeof ListDeployments>;

export const DeploymentPage = Type.Object({ deployments: Type.Array(DeploymentSummary), next: Next });

export const ListTimeline = Type.Object(placeParameters, closed);
export type ListTimeline = Static<typeof ListTimeline>;

export const TimelinePage = Type.Object({ timeline: Type.Array(TimelineEntry), next: NextPlace });

export const ListWaiting = Type.Object(
  { ...placeParameters, entity: Type.Optional(WaitingEntry.properties.entity) },
  closed,
);
export type ListWaiting = Static<typeof ListWaiting>;

export const WaitingPage = Type.Object({ waiting: Type.Array(WaitingEntry), next: NextPlace });

/** One line of the answer to a bulk registration. `line`: number of the line in the request, from 1. */
export const BulkAnswer = Type.Object({
  line: Type.Integer({ minimum: 1 }),
  status: Type.Enum([...RegisterResult.properties.status.enum, 'error']),
  id: Type.Optional(Uuid),
  name: Type.Optional(Type.String()),
  message: Type.Optional(Type.String({ description: 'why it is an error; names the field' })),
});
export type BulkAnswer = Static<typeof BulkAnswer>;

const projectSettings = {
  four_eyes: Type.Boolean({ description: 'whoever asked for an approval may not decide it' }),
};

export const Project = Type.Object({ slug: ProjectId, id: Uuid, ...projectSettings });
export type Project = Static<typeof Project>;

export const ProjectPatch = Type.Object(projectSettings, closed);
export type ProjectPatch = Static<typeof ProjectPatch>;

export const NewToken = Type.Object(
  {
    name: nameOfAtMost(128),
    role: Type.Enum([...ROLES]),
    project: Type.Optional(ProjectId),
    expires_at: Type.Optional(Timestamp),
    timezone: Type.Optional(
      Type.String({ minLength: 1, maxLength: 64, description: 'IANA name; whose clock `time_type: console` means' }),
    ),
  },
  closed,
);
export type NewToken = Static<typeof NewToken>;

export const Token = Type.Object({
  id: Uuid,
  name: Type.String(),
  role: Type.Enum([...ROLES]),
  project: ProjectId,
  actor_id: Uuid,
  actor_number: Type.Integer(),
  timezone: Type.String(),
  installation: Type.Boolean({ description: 'the token of the environment' }),
  created_at: Timestamp,
  expires_at: Type.Union([Timestamp, Type.Null()]),
  revoked_at: Type.Union([Timestamp, Type.Null()]),
});

export const IssuedToken = Type.Object({
  ...Token.properties,
  token: Type.String({ description: 'the secret; shown this once' }),
});

export const TokenPage = Type.Object({ tokens: Type.Array(Token), next: Next });

export const CredentialPage = Type.Object({ credentials: Type.Array(DeviceCredential), next: Next });

const whichLetters = {
  service: Type.Optional(Type.Enum([...deadLetters.keys()], { description: 'who keeps them' })),
  subject: Type.Optional(
    Type.String({ minLength: 1, maxLength: 512, description: 'a subject, or its beginning with `>` at the end' }),
  ),
  parked_before: Type.Optional(Timestamp),
};

export const ListDeadLetters = Type.Object({ ...keysetParameters, ...whichLetters }, closed);
export type ListDeadLetters = Static<typeof ListDeadLetters>;

export const DeadLetterPage = Type.Object({ dead_letters: Type.Array(DeadLetter), next: Next });

/** Which letters to publish again: a page as a list with the same words has it, short enough to be done before the connection is idle. */
export const ReplayDeadLetters = Type.Object(
  {
    ...keysetParameters,
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: DEFAULT_PAGE })),
    ...whichLetters,
  },
  closed,
);
export type ReplayDeadLetters = Static<typeof ReplayDeadLetters>;

export const ReplayedDeadLetters = Type.Object({
  replayed: Type.Integer(),
  failed: Type.Array(Type.Object({ id: Uuid, service: DeadLetter.properties.service, reason: Type.String() }), {
    description: 'what the bus cannot carry; it stays a dead letter',
  }),
  next: Next,
});
