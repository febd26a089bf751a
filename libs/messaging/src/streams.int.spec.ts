import { deviceStream, deviceSubject, eventStream, MAX_DEVICE_UNREAD } from '@muster/contracts';
import { AckPolicy, nanos } from 'nats';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureStreams, streamsOf } from './streams.js';
import { Bus, SERVICE } from './testing/bus.js';

const DAY_MS = 86_400_000;
const GIB = 1024 ** 3;

let bus: Bus;

beforeAll(async () => {
  bus = await Bus.start();
});
afterAll(() => bus.stop());

const limits = async () => {
  const manager = await bus.client.jetstreamManager();
  const { config, state } = await manager.streams.info(eventStream(SERVICE));
  return { days: config.max_age / nanos(DAY_MS), gib: config.max_bytes / GIB, messages: state.messages };
};

describe('the limits of an event stream', () => {
  it('given other ones than before, when the service starts, then the stream that exists takes them, larger or smaller, and what fits stays', async () => {
    await bus.client.jetstream().publish(`muster.evt.acme.device.ONLINE.1`, 'kept');
    await ensureStreams(bus.server, streamsOf(SERVICE, { days: 30, gib: 5 }));
    expect(await limits()).toEqual({ days: 30, gib: 5, messages: 1 });
    await ensureStreams(bus.server, streamsOf(SERVICE, { days: 1, gib: 1 }));
    expect(await limits()).toEqual({ days: 1, gib: 1, messages: 1 });
  });

  it('given a smaller size than what is stored, then the oldest events go', async () => {
    const payload = 'x'.repeat(1_000);
    const subject = (index: number) => `muster.evt.acme.device.ONLINE.${index}`;
    for (let index = 0; index < 100; index++) await bus.client.jetstream().publish(subject(index), payload);
    await ensureStreams(bus.server, streamsOf(SERVICE, { days: 1, gib: 50_000 / GIB }));
    const manager = await bus.client.jetstreamManager();
    const { state } = await manager.streams.info(eventStream(SERVICE));
    expect(state.bytes).toBeLessThanOrEqual(50_000);
    expect((await manager.streams.getMessage(eventStream(SERVICE), { last_by_subj: subject(99) })).string()).toBe(
      payload,
    );
  });

  it('given more bytes than the bus allows, then one line says so and names the setting', async () => {
    await expect(ensureStreams(bus.server, streamsOf(SERVICE, { days: 7, gib: 1_048_576 }))).rejects.toThrow(
      `the bus has no room for the 1048576.0 GiB that ${eventStream(SERVICE)} may take: allow JetStream more (max_file) or lower MUSTER_EVENT_GIB`,
    );
  });
});

describe('a stream that was there and is gone', () => {
  it('given that the server may not have removed its files yet, then it is left alone for two seconds and made after that', async () => {
    const manager = await bus.client.jetstreamManager();
    const name = eventStream(SERVICE);
    await ensureStreams(bus.server, streamsOf(SERVICE));
    await manager.streams.delete(name);
    const started = performance.now();
    await ensureStreams(bus.server, streamsOf(SERVICE));
    expect(performance.now() - started).toBeGreaterThan(1_990);
    expect((await manager.streams.info(name)).config.name).toBe(name);
  });
});

describe('the stream of a device channel', () => {
  it('given a device that says more than may wait, then the rest is refused until something is read, and another device is not', async () => {
    const said = (device: string) => bus.client.jetstream().publish(deviceSubject('acme', device, 'report'), '{}');
    const [flooder, quiet] = ['3f1c2a52-6b3f-4a53-9d2a-0a1d9be0a001', '3f1c2a52-6b3f-4a53-9d2a-0a1d9be0a002'];
    await Promise.all(Array.from({ length: MAX_DEVICE_UNREAD }, () => said(flooder)));
    await expect(said(flooder)).rejects.toMatchObject({ code: '503' });
    const { stream, seq } = await said(quiet);
    expect([stream, seq]).toEqual([deviceStream('report'), MAX_DEVICE_UNREAD + 1]);
    const manager = await bus.client.jetstreamManager();
    await manager.consumers.add(deviceStream('report'), { durable_name: 'reader', ack_policy: AckPolicy.Explicit });
    const reader = await bus.client.jetstream().consumers.get(deviceStream('report'), 'reader');
    expect(await (await reader.next())!.ackAck()).toBe(true);
    await said(flooder);
    await expect(said(flooder)).rejects.toMatchObject({ code: '503' });
  });
});
