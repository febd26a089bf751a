import { serviceInbox, type ServiceName } from '@muster/contracts';
import { makeScratch, removeScratch, testNats, type TestNats } from '@muster/testing';
import { connect, type NatsConnection } from 'nats';
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { doorOptions } from '../connect.js';
import { makeKeys, type BusKeys } from '../keys.js';
import { administratorUser, serviceUser, systemUser, type Signer } from '../users.js';

/** A nats-server of a test that lets in nobody without credentials, with the keys that make them. */
export interface BusWithUsers {
  nats: TestNats;
  keys: BusKeys;
  /** Signs users of Muster's account. */
  signer: Signer;
  /** Writes credentials, or any other secret, into a file that goes with the bus. @returns its path. */
  keep(text: string): Promise<string>;
  /** A connection that is closed with the bus; `inbox`: the prefix that the credentials allow. */
  connect(creds: string, inbox?: string): Promise<NatsConnection>;
  /** As a service is connected. */
  service(name: ServiceName): Promise<NatsConnection>;
  /** As the administrator, who may do everything; services answer them as they answer the gateway. */
  administrator(): Promise<NatsConnection>;
  /** As a service that steers the account. */
  system(name: ServiceName): Promise<NatsConnection>;
  stop(): Promise<void>;
}

/** Starts a nats-server with users on a free port, with empty streams. */
export async function busWithUsers(): Promise<BusWithUsers> {
  const keys = await makeKeys();
  const scratch = await makeScratch();
  const nats = await testNats({
    authentication: {
      operatorJwt: keys.operatorJwt,
      systemAccount: keys.systemAccount,
      accounts: { [keys.systemAccount]: keys.systemJwt, [keys.account]: keys.accountJwt },
    },
  });
  const signer = { account: keys.account, seed: keys.accountSeed };
  const systemSigner = { account: keys.systemAccount, seed: keys.systemSeed };
  const connections: NatsConnection[] = [];
  const keep = async (text: string) => {
    const path = join(scratch, `${randomUUID()}.creds`);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  };
  const open = async (creds: string, inbox = '_INBOX') => {
    const options = doorOptions({ url: nats.url, creds: await keep(creds), inbox });
    const connection = await connect({ ...options, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
    connections.push(connection);
    return connection;
  };
  return {
    nats,
    keys,
    signer,
    keep,
    connect: open,
    service: async (name) => open(await serviceUser(signer, name), serviceInbox(name)),
    administrator: async () => open(await administratorUser(signer), serviceInbox('gateway')),
    system: async (name) => open(await systemUser(systemSigner, keys.account, name), serviceInbox(name)),
    stop: async () => {
      await Promise.all(connections.map((connection) => connection.close()));
      await nats.stop();
      await removeScratch(scratch);
    },
  };
}
