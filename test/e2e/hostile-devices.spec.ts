import { MAX_DEVICE_PAYLOAD, type ChannelName, type IssuedCredential } from '@muster/contracts';
import type { MqttClient } from 'mqtt';
import { Events, headers, type NatsConnection } from 'nats';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { obey, RealDevices, subjectOf, topicOf } from '../harness/real-devices.ts';
import { Stack } from '../harness/stack.js';

const PATIENCE = { timeout: 20_000, interval: 50 };
/** In which a command of a device that behaves is done, whatever others do. */
const BOUND_MS = 30_000;

let stack: Stack;
let devices: RealDevices;
let good: IssuedCredential;
let goodClient: MqttClient;
let hostile: IssuedCredential;
let nats: NatsConnection;
let mqtt: MqttClient;

beforeAll(async () => {
  stack = await Stack.start();
  devices = new RealDevices(stack);
  good = await devices.register('good');
  goodClient = await devices.overMqtt(good);
  await obey(goodClient, good.device_id);
  hostile = await devices.register('hostile');
  nats = await devices.overNats(hostile);
  mqtt = await devices.overMqtt(hostile);
});
afterAll(async () => {
  await devices?.close();
  await stack.stop();
});

/** How many messages a service has dropped on a channel for a reason. */
async function dropped(service: string, channel: string, reason: string): Promise<number> {
  const { processes } = await stack.file();
  const { url } = processes.find(({ name }) => name === service)!;
  const text = await (await fetch(`${url}/metrics`)).text();
  const line = text
    .split('\n')
    .find((each) =>
      ['dropped_total{', `channel="${channel}"`, `reason="${reason}"`].every((part) => each.includes(part)),
    );
  return Number(line?.split(' ').at(-1) ?? 0);
}

/** Nobody else notices: a command of a device that behaves is done meanwhile. */
async function othersDoNotNotice(): Promise<void> {
  const began = performance.now();
  await stack.reached(await stack.createJob([good.device_id]), 'Successful');
  expect(performance.now() - began).toBeLessThan(BOUND_MS);
  expect(goodClient.connected).toBe(true);
}

const id = () => hostile.device_id;

describe('a device that speaks for others', () => {
  it('given the subjects of another device and of another project, then the server refuses them, over NATS and MQTT', async () => {
    const refused: string[] = [];
    void (async () => {
      for await (const { type, permissionContext } of nats.status())
        if (type === Events.Error && permissionContext) refused.push(permissionContext.subject);
    })();
    const before = await devices.show(good.device_id);
    const forbidden = [
      subjectOf(good.device_id, 'report'),
      subjectOf(id(), 'report', 'other'),
      subjectOf(id(), 'command'),
    ];
    for (const subject of forbidden) nats.publish(subject, '{"reported":{"stolen":true}}');
    await mqtt.publishAsync(topicOf(good.device_id, 'report'), '{"reported":{"stolen":true}}', { qos: 1 });
    await mqtt.publishAsync(topicOf(id(), 'report'), '{"reported":{"own":1}}', { qos: 1 });
    await expect.poll(() => refused, PATIENCE).toEqual(forbidden);
    await expect.poll(async () => (await devices.show(id())).reported, PATIENCE).toEqual({ own: 1 });
    expect((await devices.show(good.device_id)).reported).toEqual(before.reported);
    await othersDoNotNotice();
  });

  it('given a header by which a stream would throw all else away, or an acknowledgement sent to another, then neither counts', async () => {
    const rollup = headers();
    rollup.set('Nats-Rollup', 'all');
    await expect(
      nats.jetstream().publish(subjectOf(id(), 'report'), '{"reported":{}}', { headers: rollup }),
    ).rejects.toThrow();
    const before = await dropped('device-state', 'heartbeat', 'invalid');
    nats.publish(subjectOf(id(), 'report'), '{"reported":{}}', { reply: subjectOf(good.device_id, 'heartbeat') });
    await expect.poll(() => dropped('device-state', 'heartbeat', 'invalid'), PATIENCE).toBe(before + 1);
  });
});

describe('a device that aims the acknowledgements of the bus', () => {
  it('given what would take messages out of a stream, then they stay in it', async () => {
    const { streams } = await (await stack.nats()).jetstreamManager();
    const stream = 'MUSTER_EVT_DEVICE_STATE';
    const before = (await streams.info(stream)).state;
    for (const verb of ['PURGE', 'MSG.DELETE', 'DELETE']) {
      const asked = (await stack.nats()).subscribe(`$JS.API.STREAM.${verb}.${stream}`, { max: 1 });
      await (await stack.nats()).flush();
      nats.publish(subjectOf(id(), 'report'), '{"reported":{}}', { reply: `$JS.API.STREAM.${verb}.${stream}` });
      for await (const message of asked) expect(message.json()).toMatchObject({ stream: 'MUSTER_DEV_REPORT' });
    }
    const { first_seq, messages } = (await streams.info(stream)).state;
    expect({ first_seq, deleted: messages < before.messages }).toEqual({ first_seq: before.first_seq, deleted: false });
  });

  it('given the work of a service, then it is dropped and counted, and no dead letter is made of it', async () => {
    const before = await dropped('job-planner', 'work', 'invalid');
    nats.publish(subjectOf(id(), 'report'), '{"reported":{}}', { reply: 'muster.work.job-planner.outcome' });
    await expect.poll(() => dropped('job-planner', 'work', 'invalid'), PATIENCE).toBe(before + 1);
    const { body } = await stack.api<{ dead_letters: object[] }>('GET', '/api/v1/dead-letters?service=job-planner');
    expect(body.dead_letters).toEqual([]);
  });
});

describe('a device that says what cannot be', () => {
  const nested = `{"reported":{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}}`;
  const status = (more: object) => JSON.stringify({ command_id: randomUUID(), fence: 1, status: 'success', ...more });

  it.each<[string, ChannelName, string, () => string]>([
    ['no JSON', 'report', 'not_json', () => 'garbage'],
    ['another type', 'hello', 'invalid', () => '[1]'],
    ['U+0000', 'report', 'invalid', () => '{"reported":{"a":"\\u0000"}}'],
    ['endless nesting', 'report', 'invalid', () => nested],
    [
      'more than a message may hold',
      'report',
      'too_large',
      () => `{"reported":{"a":"${'x'.repeat(MAX_DEVICE_PAYLOAD)}"}}`,
    ],
    ['10 MB of heartbeat', 'heartbeat', 'too_large', () => 'x'.repeat(10_000_000)],
    ['a status without a command', 'status', 'invalid', () => '{"status":"success"}'],
    ['a progress of 1,000 percent', 'status', 'invalid', () => status({ status: 'inprogress', progress: 1_000 })],
    ['a status for a command that nobody sent', 'status', 'unknown_command', () => status({})],
  ])('given %s, then it is dropped and counted', async (_what, channel, reason, payload) => {
    const service = channel === 'status' ? 'command-dispatcher' : 'device-state';
    const before = await dropped(service, channel, reason);
    await mqtt.publishAsync(topicOf(id(), channel), payload(), { qos: 0 });
    await expect.poll(() => dropped(service, channel, reason), PATIENCE).toBe(before + 1);
  });

  it('given its own id in capitals, then the server refuses it', async () => {
    await expect(mqtt.subscribeAsync(topicOf(id().toUpperCase(), 'command'))).rejects.toThrow();
  });

  it('given the command of another device, and an old fence of its own, then both are dropped, and its own ends by its own word alone', async () => {
    const credential = await devices.register('old-fence');
    const own = credential.device_id;
    const client = await devices.overMqtt(credential);
    let told: { command_id: string; fence: number } | undefined;
    client.on('message', (_topic, payload) => (told = JSON.parse(payload.toString()) as typeof told));
    await client.subscribeAsync(topicOf(own, 'command'));
    const job = await stack.createJob([own]);
    await client.publishAsync(topicOf(own, 'hello'), '{}', { qos: 1 });
    await expect.poll(() => told, PATIENCE).toBeDefined();
    const { command_id, fence } = told!;
    const counts = () =>
      Promise.all(['foreign_command', 'old_fence'].map((reason) => dropped('command-dispatcher', 'status', reason)));
    const [foreign, old] = await counts();
    await mqtt.publishAsync(topicOf(id(), 'status'), JSON.stringify({ command_id, fence, status: 'success' }), {
      qos: 1,
    });
    const late = JSON.stringify({ command_id, fence: fence + 1, status: 'success' });
    await client.publishAsync(topicOf(own, 'status'), late, { qos: 1 });
    await expect.poll(counts, PATIENCE).toEqual([foreign! + 1, old! + 1]);
    expect((await stack.job(job)).status).toBe('Running');
    const failure = JSON.stringify({ command_id, fence, status: 'failure', code: 'own_word' });
    await client.publishAsync(topicOf(own, 'status'), failure, { qos: 1 });
    await stack.reached(job, 'Failed');
  });

  it('given a clock that is an hour ahead, then every time is that of the server all the same', async () => {
    const credential = await devices.register('clock');
    const began = Date.now();
    const later = new Date(began + 3_600_000).toISOString();
    const more = { at: later, time: later, timestamp: later, deadline: later, last_seen: later };
    const heard = await obey(await devices.overMqtt(credential), credential.device_id, 1, more);
    const job = await stack.reached(await stack.createJob([credential.device_id]), 'Successful');
    const { last_seen, updated_at } = await devices.show(credential.device_id);
    const isNow = (time: number): boolean => time >= began - 2_000 && time <= Date.now() + 2_000;
    expect([last_seen!, updated_at].map((time) => isNow(Date.parse(time)))).toEqual([true, true]);
    expect(isNow(job.status_last_updated_at * 1_000)).toBe(true);
    expect(isNow(Date.parse(heard[0]!.deadline) - 3_600_000)).toBe(true);
  });
});

describe('a device that says too much', () => {
  it('given 10 MB in a message over NATS, then the server closes its connection, and over MQTT it is not kept', async () => {
    const other = await devices.overNats(hostile);
    // A client that minds what the server told it would not send it at all.
    Object.assign(other.info!, { max_payload: 2 ** 30 });
    other.publish(subjectOf(id(), 'report'), new Uint8Array(10_000_000));
    expect(await other.closed()).toBeInstanceOf(Error);
    const client = await devices.overMqtt(hostile);
    await client.publishAsync(topicOf(id(), 'report'), Buffer.alloc(10_000_000, 'x'), { qos: 0 });
    await client.publishAsync(topicOf(id(), 'report'), '{"reported":{"after":1}}', { qos: 0 });
    await expect.poll(async () => (await devices.show(id())).reported, PATIENCE).toMatchObject({ after: 1 });
    await othersDoNotNotice();
  });

  it('given floods on every channel at once, then commands of others are done within a bound, and the flood is counted', async () => {
    const flooding = { on: true };
    const unknown = () => JSON.stringify({ command_id: randomUUID(), fence: 1, status: 'success' });
    const before = await dropped('command-dispatcher', 'status', 'unknown_command');
    const flood = (async () => {
      for (let n = 0; flooding.on; n++) {
        for (let burst = 0; burst < 200; burst++) {
          nats.publish(subjectOf(id(), 'status'), unknown());
          nats.publish(subjectOf(id(), 'hello'), '{}');
          nats.publish(subjectOf(id(), 'report'), `{"reported":{"n":${n}}}`);
          nats.publish(subjectOf(id(), 'heartbeat'), '{}');
        }
        await nats.flush();
      }
    })();
    try {
      for (let round = 0; round < 3; round++) await othersDoNotNotice();
    } finally {
      flooding.on = false;
      await flood;
    }
    expect(await dropped('command-dispatcher', 'status', 'unknown_command')).toBeGreaterThan(before);
    expect((await devices.show(good.device_id)).online).toBe(true);
  });

  it('given more subscriptions than it needs, then the server grants it no more', async () => {
    const client = await devices.overNats(hostile);
    const errors: string[] = [];
    void (async () => {
      for await (const { type, data } of client.status()) if (type === Events.Error) errors.push(JSON.stringify(data));
    })();
    for (let n = 0; n < 100; n++) client.subscribe(subjectOf(id(), 'command'), { callback: () => undefined });
    await expect.poll(() => errors.length, PATIENCE).toBeGreaterThanOrEqual(100 - 16);
    expect(new Set(errors)).toEqual(new Set(['"NATS_PROTOCOL_ERR"']));
  });
});
