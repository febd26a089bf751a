import { makeKeys, serviceUser } from '@muster/bus-auth';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BusKeys } from './bus.keys.js';

let folder: string;
let env: Record<string, string>;
let config: { natsUrl: string; natsCreds: string | undefined };
let account: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'muster-keys-'));
  const keys = await makeKeys();
  const keep = async (name: string, text: string) => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };
  account = keys.account;
  const signer = { account, seed: keys.accountSeed };
  config = {
    natsUrl: 'tls://service:secret@bus.example:4222',
    natsCreds: await keep('service.creds', await serviceUser(signer, 'device-state')),
  };
  env = {
    MUSTER_NATS_ACCOUNT_SEED: await keep('account.seed', `${keys.accountSeed}\n`),
    MUSTER_NATS_OPERATOR_SEED: await keep('operator.seed', keys.operatorSeed),
    MUSTER_NATS_SYSTEM_CREDS: await keep('system.creds', 'creds'),
    MUSTER_DEVICE_MQTT_URL: 'mqtts://devices.example:8883',
  };
});
afterAll(() => rm(folder, { recursive: true }));

describe('the keys of the bus', () => {
  it('given all of them, then devices go where the service goes unless told, and no password of it with them', () => {
    expect(BusKeys.read(env, config).need()).toMatchObject({
      account,
      accountSeed: expect.stringMatching(/^SA[A-Z2-7]+$/) as string,
      natsUrl: 'tls://bus.example:4222',
      mqttUrl: 'mqtts://devices.example:8883',
    });
    const told = { ...env, MUSTER_DEVICE_NATS_URL: 'tls://devices.example:4222' };
    expect(BusKeys.read(told, config).need().natsUrl).toBe('tls://devices.example:4222');
  });

  it('given none, then that is a bus of somebody else, and who needs them is told which', () => {
    const keys = BusKeys.read({ MUSTER_DEVICE_MQTT_URL: 'mqtt://x' }, config);
    expect(() => keys.need()).toThrow(
      'credentials are not made here: MUSTER_NATS_ACCOUNT_SEED, MUSTER_NATS_OPERATOR_SEED, MUSTER_NATS_SYSTEM_CREDS are not set',
    );
  });

  it.each([
    'MUSTER_NATS_ACCOUNT_SEED',
    'MUSTER_NATS_OPERATOR_SEED',
    'MUSTER_NATS_SYSTEM_CREDS',
    'MUSTER_DEVICE_MQTT_URL',
  ])('given all but %s, then the start fails and names it', (name) => {
    expect(() => BusKeys.read({ ...env, [name]: '' }, config)).toThrow(`${name} is not set`);
  });

  it('given what cannot be used, then the start fails and names it', () => {
    const reading = (changed: object) => () => BusKeys.read({ ...env, ...changed }, config);
    expect(reading({ MUSTER_NATS_ACCOUNT_SEED: '/nowhere' })).toThrow('MUSTER_NATS_ACCOUNT_SEED names /nowhere');
    expect(reading({ MUSTER_DEVICE_MQTT_URL: 'http://x' })).toThrow(
      'MUSTER_DEVICE_MQTT_URL must be a URL that starts with mqtt:// or mqtts://',
    );
    expect(() => BusKeys.read(env, { ...config, natsCreds: undefined })).toThrow('MUSTER_NATS_CREDS is not set');
  });
});
