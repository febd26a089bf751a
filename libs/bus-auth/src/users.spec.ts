import { SERVICES } from '@muster/contracts';
import { decode, type User } from '@nats-io/jwt';
import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { accountOf, deviceOfUser, deviceUser, deviceUserName, makeKeys, serviceUser, type Signer } from './index.js';

/** Half of what the local bus reads of a user (max_control_line); a device is let in by a bus with the usual 4 KB. */
const LARGEST = { service: 16 * 1024, device: 3 * 1024 };

let signer: Signer;
beforeAll(async () => {
  const { account, accountSeed } = await makeKeys();
  signer = { account, seed: accountSeed };
});

const tokenOf = (creds: string) => /-----BEGIN NATS USER JWT-----\s*([\w.-]+)/.exec(creds)![1]!;

describe('the users of the bus', () => {
  it.each(SERVICES)('given %s, then its token is no longer than the bus reads', async (service) => {
    expect(tokenOf(await serviceUser(signer, service)).length).toBeLessThan(LARGEST.service);
  });

  it('given a device of the longest names, then its tokens fit into a bus that is set as usual', async () => {
    const { creds, password } = await deviceUser(signer, { project: 'p'.repeat(40), device: randomUUID() });
    for (const token of [tokenOf(creds), password]) expect(token.length).toBeLessThan(LARGEST.device);
  });

  it('given a device, then its two tokens are of one key, which is told beside them, and expire when they should', async () => {
    const expiresAt = new Date('2031-02-03T04:05:06Z');
    const user = await deviceUser(signer, { project: 'acme', device: randomUUID() }, expiresAt);
    const [overNats, overMqtt] = [tokenOf(user.creds), user.password].map((token) => decode<User>(token));
    expect([overNats!.sub, overMqtt!.sub]).toEqual([user.publicKey, user.publicKey]);
    expect([overNats!.exp, overMqtt!.exp]).toEqual([expiresAt.getTime() / 1000, expiresAt.getTime() / 1000]);
    expect([overNats!.nats.bearer_token, overMqtt!.nats.bearer_token]).toEqual([false, true]);
    expect([overNats!.nats.allowed_connection_types, overMqtt!.nats.allowed_connection_types]).toEqual([
      ['STANDARD'],
      ['MQTT'],
    ]);
    expect(user.creds).toContain('BEGIN USER NKEY SEED');
  });

  it('given the name of a device, then project and device are read back from it, and from no other name', () => {
    const key = { project: 'acme', device: randomUUID() };
    expect(deviceOfUser(deviceUserName(key))).toEqual(key);
    for (const name of ['service.gateway', 'fleet.acme', 'device.acme', `device.acme.${key.device}.more`, ''])
      expect(deviceOfUser(name)).toBeUndefined();
  });

  it('given credentials, then they tell the account that they belong to; and what is none is refused', async () => {
    expect(accountOf(await serviceUser(signer, 'device-state'))).toBe(signer.account);
    expect(() => accountOf('nonsense')).toThrow('no NATS credentials');
  });
});
