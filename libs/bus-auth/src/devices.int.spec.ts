import {
  deviceInbox,
  deviceStream,
  deviceSubject,
  fleetInbox,
  MAX_DEVICE_PAYLOAD,
  rpcs,
  works,
  type ChannelName,
} from '@muster/contracts';
import { connectAsync, type MqttClient } from 'mqtt';
import { AckPolicy, type NatsConnection } from 'nats';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  deviceOfUser,
  deviceUser,
  encodeAccount,
  findAccount,
  fleetUser,
  pushAccount,
  type DeviceUser,
} from './index.js';
import { maySubscribe, refusals, tryPublish } from './testing/attempts.js';
import { busWithUsers, type BusWithUsers } from './testing/bus-with-users.js';

const PROJECT = 'acme';
const STATUS = deviceStream('status');

let bus: BusWithUsers;
let administrator: NatsConnection;
const clients: MqttClient[] = [];

beforeAll(async () => {
  bus = await busWithUsers();
  administrator = await bus.administrator();
  const manager = await administrator.jetstreamManager();
  await manager.streams.add({ name: STATUS, subjects: ['muster.dev.*.*.status'] });
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.endAsync(true)));
  await bus.stop();
});

const inStream = async (subject: string): Promise<number> => {
  const manager = await administrator.jetstreamManager();
  const { state } = await manager.streams.info(STATUS, { subjects_filter: subject });
  return state.subjects?.[subject] ?? 0;
};

const newDevice = async (expiresAt?: Date) => {
  const key = { project: PROJECT, device: randomUUID() };
  return { key, user: await deviceUser(bus.signer, key, expiresAt) };
};

const subject = ({ device }: { device: string }, channel: ChannelName) => deviceSubject(PROJECT, device, channel);
const topic = (key: { device: string }, channel: ChannelName) => subject(key, channel).replaceAll('.', '/');

const overMqtt = async ({ password }: Pick<DeviceUser, 'password'>): Promise<MqttClient> => {
  const client = await connectAsync(bus.nats.mqttUrl, {
    username: 'device',
    password,
    protocolVersion: 4,
    reconnectPeriod: 0,
    clientId: randomUUID(),
  });
  clients.push(client);
  return client;
};

describe('a device over NATS', () => {
  it('given its own credentials, then it says a status that the stream keeps and hears its command', async () => {
    const { key, user } = await newDevice();
    const device = await bus.connect(user.creds, deviceInbox(PROJECT, key.device));
    const heard: string[] = [];
    device.subscribe(subject(key, 'command'), { callback: (_error, message) => void heard.push(message.string()) });
    const ack = await device.jetstream().publish(subject(key, 'status'), '{}');
    expect(ack.stream).toBe(STATUS);
    administrator.publish(subject(key, 'command'), 'go');
    await expect.poll(() => heard).toEqual(['go']);
  });

  it('given the subjects of others, then it is refused everywhere, and nothing is kept', async () => {
    const { key, user } = await newDevice();
    const { key: other } = await newDevice();
    const device = await bus.connect(user.creds, deviceInbox(PROJECT, key.device));
    const refused = refusals(device);
    const forbidden = [
      subject(other, 'status'),
      deviceSubject('other', key.device, 'status'),
      subject(key, 'command'),
      'muster.evt.acme.device.ONLINE.x',
      ...rpcs.slice(0, 2).map((rpc) => rpc.subject),
      ...works.slice(0, 2).map((work) => work.subject),
      '$JS.API.INFO',
      `$JS.API.STREAM.DELETE.${STATUS}`,
      `$JS.API.STREAM.INFO.${STATUS}`,
      '$SYS.REQ.SERVER.PING',
    ];
    for (const each of forbidden) await tryPublish(device, each);
    await expect.poll(() => refused).toEqual(forbidden);
    expect(await inStream(subject(other, 'status'))).toBe(0);
    for (const each of [
      subject(other, 'command'),
      'muster.dev.acme.*.command',
      'muster.dev.>',
      '>',
      '_INBOX.>',
      '$MQTT.sub.>',
    ])
      expect([each, await maySubscribe(device, each)]).toEqual([each, false]);
    expect(await maySubscribe(device, `${deviceInbox(PROJECT, other.device)}.>`)).toBe(false);
    expect(await maySubscribe(device, subject(key, 'cancel'))).toBe(true);
  });

  it('given a message whose acknowledgement is to go to the bus itself, then it removes and makes nothing', async () => {
    const { key, user } = await newDevice();
    const device = await bus.connect(user.creds, deviceInbox(PROJECT, key.device));
    const manager = await administrator.jetstreamManager();
    await manager.consumers.add(STATUS, { durable_name: 'kept', ack_policy: AckPolicy.Explicit });
    const api = [`STREAM.DELETE.${STATUS}`, `CONSUMER.DELETE.${STATUS}.kept`, 'STREAM.CREATE.MINE'];
    for (const each of api) await tryPublish(device, subject(key, 'status'), `$JS.API.${each}`);
    await expect.poll(() => inStream(subject(key, 'status'))).toBe(api.length);
    expect((await manager.consumers.info(STATUS, 'kept')).name).toBe('kept');
    await expect(manager.streams.info('MINE')).rejects.toThrow('stream not found');
  });

  it('given a message larger than a device may send, then its client has been told so', async () => {
    const { key, user } = await newDevice();
    const device = await bus.connect(user.creds, deviceInbox(PROJECT, key.device));
    expect(() => device.publish(subject(key, 'status'), new Uint8Array(MAX_DEVICE_PAYLOAD))).not.toThrow();
    expect(() => device.publish(subject(key, 'status'), new Uint8Array(2 * MAX_DEVICE_PAYLOAD))).toThrow('MAX_PAYLOAD');
  });

  it('given credentials that have expired, then they open nothing', async () => {
    const { key, user } = await newDevice(new Date(Date.now() - 2_000));
    await expect(bus.connect(user.creds, deviceInbox(PROJECT, key.device))).rejects.toThrow();
    await expect(overMqtt(user)).rejects.toThrow();
  });
});

describe('a device over MQTT', () => {
  it('given the token as its password, then its statuses are kept and it hears its own command, with QoS 0 and 1', async () => {
    const { key, user } = await newDevice();
    const device = await overMqtt(user);
    const heard: string[] = [];
    device.on('message', (at, payload) => void heard.push(`${at} ${payload.toString()}`));
    await device.subscribeAsync(topic(key, 'command'), { qos: 0 });
    await device.subscribeAsync(topic(key, 'cancel'), { qos: 1 });
    await device.publishAsync(topic(key, 'status'), '{}', { qos: 0 });
    await device.publishAsync(topic(key, 'status'), '{}', { qos: 1 });
    await expect.poll(() => inStream(subject(key, 'status'))).toBe(2);
    administrator.publish(subject(key, 'command'), 'go');
    administrator.publish(subject(key, 'cancel'), 'stop');
    await expect.poll(() => heard.toSorted()).toEqual([`${topic(key, 'cancel')} stop`, `${topic(key, 'command')} go`]);
  });

  it('given the topics of others, then no subscription is granted and nothing that it says there is kept', async () => {
    const { key, user } = await newDevice();
    const { key: other } = await newDevice();
    const device = await overMqtt(user);
    const topics = [topic(other, 'command'), 'muster/dev/acme/+/command', 'muster/#', '#', '$MQTT/sub/#', '$MQTT/#'];
    for (const each of topics)
      for (const qos of [0, 1] as const) await expect(device.subscribeAsync(each, { qos })).rejects.toThrow();
    await device.publishAsync(topic(other, 'status'), '{}', { qos: 1 });
    await device.publishAsync(topic(key, 'status'), '{}', { qos: 1 });
    // Both came over one connection: when the second is there, the first was judged.
    await expect.poll(() => inStream(subject(key, 'status'))).toBe(1);
    expect(await inStream(subject(other, 'status'))).toBe(0);
  });

  it('given the token of the password, then it opens nothing over NATS; and that of the file nothing over MQTT', async () => {
    const { key, user } = await newDevice();
    const [, fileToken] = /-----BEGIN NATS USER JWT-----\s*([\w.-]+)/.exec(user.creds) ?? [];
    await expect(overMqtt({ password: fileToken! })).rejects.toThrow();
    const swapped = user.creds.replace(fileToken!, user.password);
    await expect(bus.connect(swapped, deviceInbox(PROJECT, key.device))).rejects.toThrow();
  });
});

describe('a revoked device', () => {
  it('given a device on NATS and on MQTT, when it is revoked, then both connections end and stay out, also after a crash of the bus, and others stay', async () => {
    const { key, user } = await newDevice();
    const bystander = await newDevice();
    const system = await bus.system('device-state');
    const gone: string[] = [];
    system.subscribe(`$SYS.ACCOUNT.${bus.keys.account}.DISCONNECT`, {
      callback: (_error, message) => {
        const { client } = message.json<{ client: { name_tag: string; client_type: string } }>();
        gone.push(`${deviceOfUser(client.name_tag)?.device} ${client.client_type}`);
      },
    });
    await system.flush();
    await bus.connect(user.creds, deviceInbox(PROJECT, key.device));
    const mqtt = await overMqtt(user);
    const stays = await overMqtt(bystander.user);

    const { revocations, ...rules } = await findAccount(system, bus.keys.account);
    const now = Math.floor(Date.now() / 1000);
    const revoked = { ...rules, revocations: { ...revocations, [user.publicKey]: now } };
    await pushAccount(system, await encodeAccount(revoked, bus.keys.operatorSeed));

    await expect.poll(() => gone.toSorted()).toEqual([`${key.device} mqtt`, `${key.device} nats`]);
    await expect.poll(() => mqtt.connected).toBe(false);
    await expect(overMqtt(user)).rejects.toThrow();
    expect(stays.connected).toBe(true);

    await bus.nats.kill();
    await bus.nats.revive();
    await expect.poll(() => findAccount(system, bus.keys.account).catch(() => undefined)).toEqual(revoked);
    await expect(overMqtt(user)).rejects.toThrow();
    expect((await overMqtt(bystander.user)).connected).toBe(true);
  });

  it('given an account that nobody of this bus has signed, then it is not given to it', async () => {
    const system = await bus.system('device-state');
    const forged = await encodeAccount(await findAccount(system, bus.keys.account), bus.keys.accountIdentitySeed);
    await expect(pushAccount(system, forged)).rejects.toThrow('the account is not signed by the key of this bus');
  });
});

describe('a fleet', () => {
  it('given the credentials of a project, then it speaks for all of its devices and for none of another project', async () => {
    const fleet = await bus.connect(await fleetUser(bus.signer, PROJECT), fleetInbox(PROJECT));
    const refused = refusals(fleet);
    const key = { device: randomUUID() };
    expect((await fleet.jetstream().publish(subject(key, 'status'), '{}')).stream).toBe(STATUS);
    expect(await maySubscribe(fleet, 'muster.dev.acme.*.command')).toBe(true);
    expect(refused).toEqual([]);
    await tryPublish(fleet, deviceSubject('other', key.device, 'status'));
    await expect.poll(() => refused).toHaveLength(1);
    expect(await maySubscribe(fleet, 'muster.dev.*.*.command')).toBe(false);
  });
});
