import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { obey, RealDevices, topicOf } from '../harness/real-devices.ts';
import { Stack } from '../harness/stack.js';

const PATIENCE = { timeout: 20_000, interval: 50 };

let stack: Stack;
let devices: RealDevices;

beforeAll(async () => {
  stack = await Stack.start();
  devices = new RealDevices(stack);
});
afterAll(async () => {
  await devices?.close();
  await stack.stop();
});

describe('a device with a plain MQTT 3.1.1 client and issued credentials', () => {
  it.each([0, 1] as const)(
    'given a command that waits, when it subscribes with QoS %i and says hello, then it receives the command and completes it',
    async (qos) => {
      const credential = await devices.register(`plain-${qos}`);
      const id = credential.device_id;
      const job = await stack.createJob([id]);
      const client = await devices.overMqtt(credential);
      const heard = await obey(client, id, qos);
      await stack.reached(job, 'Successful');
      expect(heard[0]).toMatchObject({ command: 'deployment_deploy', fence: 1 });

      await client.publishAsync(topicOf(id, 'report'), '{"reported":{"door":"open"}}', { qos: 1 });
      await expect.poll(async () => (await devices.show(id)).reported, PATIENCE).toEqual({ door: 'open' });
      expect(await devices.show(id)).toMatchObject({ online: true, agent: { agent: 'plain-mqtt' } });
    },
  );

  it('given that it disconnects, then it is offline at once', async () => {
    const credential = await devices.register('leaves');
    const client = await devices.overMqtt(credential);
    await obey(client, credential.device_id);
    await expect.poll(async () => (await devices.show(credential.device_id)).online, PATIENCE).toBe(true);
    await client.endAsync();
    await expect.poll(async () => (await devices.show(credential.device_id)).state, PATIENCE).toBe('OFFLINE');
  });

  it('given the credentials of another device, then the server grants it no subscription and takes nothing that it says', async () => {
    const [own, other] = [await devices.register('own'), await devices.register('other')];
    const client = await devices.overMqtt(own);
    for (const channel of ['command', 'cancel'] as const)
      for (const qos of [0, 1] as const)
        await expect(client.subscribeAsync(topicOf(other.device_id, channel), { qos })).rejects.toThrow();
    await client.publishAsync(topicOf(other.device_id, 'hello'), '{}', { qos: 1 });
    // Both came over one connection: when its own is known, the other was judged.
    await client.publishAsync(topicOf(own.device_id, 'hello'), '{}', { qos: 1 });
    await expect.poll(async () => (await devices.show(own.device_id)).online, PATIENCE).toBe(true);
    expect(await devices.show(other.device_id)).toMatchObject({ state: 'REGISTERED', last_seen: null });
  });

  it('given credentials that are rotated and then revoked, then each is out at once, and the connection with it', async () => {
    const first = await devices.register('rotates');
    const path = `/api/v1/devices/${first.device_id}/credentials`;
    const old = await devices.overMqtt(first);
    const { status, body: second } = await stack.api<typeof first>('POST', `${path}/${first.id}/rotate`);
    expect(status).toBe(201);
    await expect.poll(() => old.connected, PATIENCE).toBe(false);
    await expect(devices.overMqtt(first)).rejects.toThrow();
    const [mqtt, nats] = [await devices.overMqtt(second), await devices.overNats(second)];
    expect((await stack.api('DELETE', `${path}/${second.id}`)).status).toBe(204);
    await expect.poll(() => [mqtt.connected, nats.isClosed()], PATIENCE).toEqual([false, true]);
    await expect(devices.overNats(second)).rejects.toThrow();
    const { body: list } = await stack.api<{ credentials: { revoked_at: string | null }[] }>('GET', path);
    expect(list.credentials.map(({ revoked_at }) => revoked_at === null)).toEqual([false, false]);
  });
});
