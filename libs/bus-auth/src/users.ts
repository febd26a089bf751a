import { MAX_DEVICE_PAYLOAD, type ServiceName } from '@muster/contracts';
import { createUser, encodeUser, fmtCreds, fromSeed, type ConnectionType, type KeyPair, type User } from '@nats-io/jwt';
import { deviceUserName } from './names.js';
import { userSeed } from './seed.js';
import {
  devicePermissions,
  fleetPermissions,
  mqttPermissions,
  readerPermissions,
  servicePermissions,
  systemPermissions,
  type DeviceKey,
  type Permissions,
} from './permissions.js';

/** Who vouches for users: a signing key of the account that they belong to. */
export interface Signer {
  /** Public key of the account. */
  account: string;
  seed: string;
}

/** What a device is given: nobody else has a copy of the private key. */
export interface DeviceUser {
  /** By which the user is revoked, over NATS and MQTT alike. */
  publicKey: string;
  /** Text of a credentials file for NATS clients. */
  creds: string;
  /** Password for MQTT clients, with any user name; it opens nothing over NATS. */
  password: string;
}

const UNLIMITED = -1;
/** Beside the largest payload there is room for headers. */
const DEVICE_PAYLOAD = MAX_DEVICE_PAYLOAD + 4 * 1024;
/** Two channels and an inbox, each perhaps for a moment twice; an MQTT subscription with QoS 1 counts double. */
const DEVICE_SUBSCRIPTIONS = 16;

interface Terms {
  permissions?: Permissions;
  over: ConnectionType;
  bearer?: boolean;
  limits?: { payload: number; subs: number };
  expiresAt?: Date | undefined;
}

/** A user without permissions of its own may do everything in its account. */
function encodeOne(name: string, user: KeyPair, { account, seed }: Signer, terms: Terms): Promise<string> {
  const { permissions, over, bearer = false, limits, expiresAt } = terms;
  const rules: Partial<User> = {
    ...(permissions && { pub: { allow: permissions.publish }, sub: { allow: permissions.subscribe } }),
    data: UNLIMITED,
    payload: limits?.payload ?? UNLIMITED,
    subs: limits?.subs ?? UNLIMITED,
    bearer_token: bearer,
    allowed_connection_types: [over],
  };
  return encodeUser(name, user, account, rules, {
    signer: fromSeed(new TextEncoder().encode(seed)),
    ...(expiresAt && { exp: Math.floor(expiresAt.getTime() / 1000) }),
  });
}

async function credsOf(name: string, signer: Signer, terms: Omit<Terms, 'over'>): Promise<string> {
  const user = createUser();
  const jwt = await encodeOne(name, user, signer, { ...terms, over: 'STANDARD' });
  return new TextDecoder().decode(fmtCreds(jwt, user));
}

/** Credentials of a service: what the contracts let it do. */
export const serviceUser = (signer: Signer, service: ServiceName): Promise<string> =>
  credsOf(`service.${service}`, signer, { permissions: servicePermissions(service) });

/** Credentials of all devices of a project, for a simulated fleet. */
export const fleetUser = (signer: Signer, project: string): Promise<string> =>
  credsOf(`fleet.${project}`, signer, {
    permissions: fleetPermissions(project),
    limits: { payload: DEVICE_PAYLOAD, subs: UNLIMITED },
  });

/** Credentials of another system that reads the events of a project, or with `*` of all. */
export const readerUser = (signer: Signer, project: string): Promise<string> =>
  credsOf(`reader.${project}`, signer, { permissions: readerPermissions(project) });

/** Credentials that open everything in the account, for its administrator's own hands. */
export const administratorUser = (signer: Signer): Promise<string> => credsOf('administrator', signer, {});

/**
 * Credentials of a service in the system account, to revoke users of the account and to hear who is connected.
 * @param signer of the system account.
 */
export const systemUser = (signer: Signer, account: string, service: ServiceName): Promise<string> =>
  credsOf(`service.${service}`, signer, { permissions: systemPermissions(account, service) });

/** The private part of a device's user: 32 bytes of chance, or what gives the same user again. */
const keyOf = (raw: Uint8Array | undefined): KeyPair =>
  raw ? fromSeed(new TextEncoder().encode(userSeed(raw))) : createUser();

/** By which a device's user that was made of these 32 bytes is revoked. */
export const publicKeyOf = (raw: Uint8Array): string => keyOf(raw).getPublicKey();

/**
 * A device's own user, over NATS and over MQTT: two tokens for one key. The MQTT one needs no proof of the private key, since MQTT has none,
 * and so is let in over MQTT alone.
 * @param expiresAt when the bus ends its connections and lets it in no more; never, without it.
 * @param raw 32 secret bytes that the private key is made of; chance, without them.
 */
export async function deviceUser(
  signer: Signer,
  key: DeviceKey,
  expiresAt?: Date,
  raw?: Uint8Array,
): Promise<DeviceUser> {
  const user = keyOf(raw);
  const name = deviceUserName(key);
  const limits = { payload: DEVICE_PAYLOAD, subs: DEVICE_SUBSCRIPTIONS };
  const jwt = await encodeOne(name, user, signer, {
    permissions: devicePermissions(key),
    over: 'STANDARD',
    limits,
    expiresAt,
  });
  const password = await encodeOne(name, user, signer, {
    permissions: mqttPermissions(key),
    over: 'MQTT',
    bearer: true,
    limits,
    expiresAt,
  });
  return { publicKey: user.getPublicKey(), creds: new TextDecoder().decode(fmtCreds(jwt, user)), password };
}
