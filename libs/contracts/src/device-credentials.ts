import Type, { type Static } from 'typebox';
import { defineRpc } from './rpc.js';
import { ProjectId, Timestamp, Uuid } from './schema.js';

/** How long credentials open the bus, in seconds: a year unless told. */
export const CREDENTIAL_SECONDS = { least: 60, most: 5 * 366 * 86_400, default: 365 * 86_400 };

/** Credentials of one device that neither have expired nor were revoked: enough to change them without haste. */
export const MOST_CREDENTIALS = 10;

/** The longest time for which the old credentials may go on beside those that replace them: 30 days. */
export const MOST_OVERLAP_SECONDS = 30 * 86_400;

const Lifetime = Type.Integer({
  minimum: CREDENTIAL_SECONDS.least,
  maximum: CREDENTIAL_SECONDS.most,
  default: CREDENTIAL_SECONDS.default,
});

/** What new credentials may be asked with. */
export const NewCredential = Type.Object(
  { expires_in_seconds: Type.Optional(Lifetime) },
  { additionalProperties: false },
);

/** What a rotation may be asked with. `overlap_seconds`: for how long the old credentials go on; not at all unless told. */
export const CredentialRotation = Type.Object(
  {
    expires_in_seconds: Type.Optional(Lifetime),
    overlap_seconds: Type.Optional(Type.Integer({ minimum: 0, maximum: MOST_OVERLAP_SECONDS, default: 0 })),
  },
  { additionalProperties: false },
);

/** Credentials as everybody may see them: everything but the secret. `revoked_at`: from when they open nothing, which may lie ahead. */
export const DeviceCredential = Type.Object({
  id: Uuid,
  device_id: Uuid,
  issued_at: Timestamp,
  expires_at: Timestamp,
  revoked_at: Type.Union([Timestamp, Type.Null()]),
  created_by: Uuid,
});

/** The secret of new credentials (interfaces §6). `creds`: text of a NATS credentials file; `password`: for MQTT alone. */
export const IssuedCredential = Type.Object({
  id: Uuid,
  device_id: Uuid,
  expires_at: Timestamp,
  nats: Type.Object({ url: Type.String(), creds: Type.String() }),
  mqtt: Type.Object({ url: Type.String(), username: Type.String(), password: Type.String() }),
});

export type DeviceCredential = Static<typeof DeviceCredential>;
export type IssuedCredential = Static<typeof IssuedCredential>;
export type NewCredential = Static<typeof NewCredential>;
export type CredentialRotation = Static<typeof CredentialRotation>;

const ofDevice = { project_id: ProjectId, device_id: Uuid };

export const deviceCredentials = {
  /** Makes credentials; asked again with the same `id` it gives the same ones, as long as they are not revoked. */
  issue: defineRpc(
    'device-state',
    'issueCredential',
    Type.Object({ ...ofDevice, id: Uuid, created_by: Uuid, order: NewCredential }),
    IssuedCredential,
  ),
  /** Makes credentials in the place of `replaces`, which is revoked after the overlap. */
  rotate: defineRpc(
    'device-state',
    'rotateCredential',
    Type.Object({ ...ofDevice, id: Uuid, replaces: Uuid, created_by: Uuid, order: CredentialRotation }),
    IssuedCredential,
  ),
  list: defineRpc(
    'device-state',
    'listCredentials',
    Type.Object({
      ...ofDevice,
      after: Type.Optional(Uuid),
      limit: Type.Integer({ minimum: 1, maximum: 1000 }),
    }),
    Type.Object({ credentials: Type.Array(DeviceCredential), next: Type.Union([Uuid, Type.Null()]) }),
  ),
  /** Answers when the bus has taken it, and its connections are closed; revoking again changes nothing. */
  revoke: defineRpc('device-state', 'revokeCredential', Type.Object({ ...ofDevice, id: Uuid }), Type.Object({})),
} as const;
