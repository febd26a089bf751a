import { join } from 'node:path';
import { fleetUser, readerUser, serviceUser, systemUser, type BusKeys } from '@muster/bus-auth';
import { SERVICES, type ServiceName } from '@muster/contracts';
import type { NatsAuthentication } from '@muster/servers';
import { writePrivateText } from './private-file.js';

/** Who makes users for devices, and takes them away again. */
const MINTS_DEVICES: ServiceName = 'device-state';

/** Paths of what opens our own bus; each file can be read by its owner alone. */
export interface BusUsers {
  /** Credentials of each service. */
  services: Readonly<Record<ServiceName, string>>;
  /** Credentials that read the events, and nothing else. */
  reader: string;
  /** Credentials of all devices of the project. */
  fleet: string;
  /** Seed that signs users of the account. */
  accountSeed: string;
  /** Seed that signs the account. */
  operatorSeed: string;
  /** Credentials in the system account, for the service that makes users for devices. */
  system: string;
}

/** Where the files lie in their folder. */
export const busUsers = (folder: string): BusUsers => ({
  services: Object.fromEntries(SERVICES.map((name) => [name, join(folder, `${name}.creds`)])) as BusUsers['services'],
  reader: join(folder, 'events.creds'),
  fleet: join(folder, 'fleet.creds'),
  accountSeed: join(folder, 'account.seed'),
  operatorSeed: join(folder, 'operator.seed'),
  system: join(folder, `${MINTS_DEVICES}.system.creds`),
});

/** Writes them anew, since what a service may do is part of its credentials and changes with its release. */
export async function writeBusUsers(users: BusUsers, keys: BusKeys, project: string): Promise<void> {
  const signer = { account: keys.account, seed: keys.accountSeed };
  const system = { account: keys.systemAccount, seed: keys.systemSeed };
  for (const name of SERVICES) await writePrivateText(users.services[name], await serviceUser(signer, name));
  await writePrivateText(users.reader, await readerUser(signer, '*'));
  await writePrivateText(users.fleet, await fleetUser(signer, project));
  await writePrivateText(users.system, await systemUser(system, keys.account, MINTS_DEVICES));
  await writePrivateText(users.accountSeed, keys.accountSeed);
  await writePrivateText(users.operatorSeed, keys.operatorSeed);
}

/** What the environment of a service says of its user on the bus. */
export const busEnvironment = (users: BusUsers, name: ServiceName): NodeJS.ProcessEnv => ({
  MUSTER_NATS_CREDS: users.services[name],
  ...(name === MINTS_DEVICES && {
    MUSTER_NATS_ACCOUNT_SEED: users.accountSeed,
    MUSTER_NATS_OPERATOR_SEED: users.operatorSeed,
    MUSTER_NATS_SYSTEM_CREDS: users.system,
  }),
});

/** Whom the server lets in. */
export const busAuthentication = (keys: BusKeys): NatsAuthentication => ({
  operatorJwt: keys.operatorJwt,
  systemAccount: keys.systemAccount,
  accounts: { [keys.systemAccount]: keys.systemJwt, [keys.account]: keys.accountJwt },
});
