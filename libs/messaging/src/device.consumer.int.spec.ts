import { deviceStream, deviceSubject, MAX_DEVICE_PAYLOAD } from '@muster/contracts';
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ChannelMessage } from './patterns.js';
import { Bus, PROJECT } from './testing/bus.js';

const STATUS = deviceStream('status');
const status = () => ({ command_id: randomUUID(), fence: 1, status: 'acknowledged' });

let bus: Bus;
beforeAll(async () => {
  bus = await Bus.start();
});
afterEach(() => bus.rest());
afterAll(() => bus.stop());

describe('when a device said something', () => {
  it('given a message that waited in its stream and then failed once, then it comes both times with the time and place it was stored at', async () => {
    await bus.say(randomUUID(), 'status', status());
    const manager = await bus.client.jetstreamManager();
    const { state } = await manager.streams.info(STATUS);
    const stored = await manager.streams.getMessage(STATUS, { seq: state.last_seq });
    await vi.waitUntil(() => Date.now() > stored.time.getTime());

    const heard: ChannelMessage<'status'>[] = [];
    await bus.serve({
      status: async (messages) => {
        heard.push(...messages);
        if (heard.length === 1) throw new Error('transient');
      },
    });
    await vi.waitUntil(async () => (await bus.left(STATUS)) === 0, { timeout: 10_000 });
    const place = [stored.time.getTime(), stored.seq];
    expect(heard.map(({ at, sequence }) => [at, sequence])).toEqual([place, place]);
  });

  it('given a message that nobody keeps, then its time is that of its arrival', async () => {
    const heard: ChannelMessage<'heartbeat'>[] = [];
    await bus.serve({ heartbeat: async (messages) => void heard.push(...messages) });
    await bus.server.flush();
    const before = Date.now();
    bus.client.publish(deviceSubject(PROJECT, randomUUID(), 'heartbeat'));
    await vi.waitUntil(() => heard.length === 1, { timeout: 5_000 });
    expect(heard[0]!.at).toBeGreaterThanOrEqual(before);
    expect(heard[0]!.at).toBeLessThanOrEqual(Date.now());
    expect(heard[0]!.sequence).toBe(0);
  });
});

describe('a status that is too large', () => {
  it('given one that would fit without its evidence, then it comes without, and says so; the others are dropped and counted', async () => {
    const heard: ChannelMessage<'status'>[] = [];
    const host = await bus.serve({ status: async (messages) => void heard.push(...messages) });
    const large = 'x'.repeat(MAX_DEVICE_PAYLOAD);
    const evidence = { log: large };
    const failure = { ...status(), status: 'failure', reason: 'disk full' };
    const others = [
      { ...failure, reason: large },
      { ...failure, reason: large, evidence: { log: 'short' } },
      { ...failure, evidence: large },
      { ...failure, evidence, fence: 0 },
    ];
    for (const said of [...others, { ...failure, evidence }, { ...status(), evidence }])
      await bus.say(randomUUID(), 'status', said);
    await vi.waitUntil(async () => (await bus.left(STATUS)) === 0, { timeout: 10_000 });
    const note = `evidence dropped: ${JSON.stringify(evidence).length} bytes`;
    expect(heard.map(({ payload: { evidence: left, reason } }) => [left, reason])).toEqual([
      [undefined, `${note}; disk full`],
      [undefined, note],
    ]);
    expect(host.dropped.map(({ reason }) => reason)).toEqual(['too_large', 'too_large', 'too_large', 'invalid']);
  });
});

describe('an acknowledgement that was sent to a channel', () => {
  it('given a device that has its own acknowledged to the heartbeats of another, then that is dropped and counted, and the other is not alive', async () => {
    const heard: string[] = [];
    const host = await bus.serve({
      status: async () => undefined,
      heartbeat: async (messages) => void heard.push(...messages.map(({ device_id }) => device_id)),
    });
    await bus.server.flush();
    const [victim, alive] = [randomUUID(), randomUUID()];
    const reply = deviceSubject(PROJECT, victim, 'heartbeat');
    bus.client.publish(deviceSubject(PROJECT, randomUUID(), 'status'), JSON.stringify(status()), { reply });
    await vi.waitUntil(() => host.dropped.length > 0, { timeout: 5_000 });
    bus.client.publish(deviceSubject(PROJECT, alive, 'heartbeat'), '{}');
    await vi.waitUntil(() => heard.length > 0, { timeout: 5_000 });
    expect(heard).toEqual([alive]);
    await vi.waitUntil(async () => (await bus.left(STATUS)) === 0, { timeout: 10_000 });
    expect(host.dropped).toEqual([{ channel: 'heartbeat', reason: 'invalid', subject: reply }]);
  });
});

describe('a channel that nobody keeps', () => {
  it('given a device that floods it while the handler is slow, then it pushes nobody out, and what was one too many is counted', async () => {
    const gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const heard: string[] = [];
    const host = await bus.serve({
      heartbeat: async (messages) => {
        begun.resolve();
        await gate.promise;
        heard.push(...messages.map(({ device_id }) => device_id));
      },
    });
    await bus.server.flush();
    const [flooder, quiet] = [randomUUID(), randomUUID()];
    bus.client.publish(deviceSubject(PROJECT, randomUUID(), 'heartbeat'));
    await begun.promise;
    bus.client.publish(deviceSubject(PROJECT, quiet, 'heartbeat'));
    for (let said = 0; said < 20_000; said++) bus.client.publish(deviceSubject(PROJECT, flooder, 'heartbeat'));
    await bus.client.flush();
    await bus.server.flush();
    gate.resolve();
    await vi.waitUntil(() => heard.includes(flooder), { timeout: 10_000 });
    expect(heard).toContain(quiet);
    expect(heard.length).toBeLessThanOrEqual(4);
    expect(new Set(host.dropped.map(({ subject, reason }) => `${subject} ${reason}`))).toEqual(
      new Set([`${deviceSubject(PROJECT, flooder, 'heartbeat')} superseded`]),
    );
  });

  it('given a handler that is slower than the devices, then a fixed number waits, the oldest are dropped, and the newest are handled', async () => {
    const gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const heard: string[] = [];
    const host = await bus.serve({
      heartbeat: async (messages) => {
        begun.resolve();
        await gate.promise;
        heard.push(...messages.map(({ device_id }) => device_id));
      },
    });
    await bus.server.flush();
    const first = randomUUID();
    bus.client.publish(deviceSubject(PROJECT, first, 'heartbeat'));
    await begun.promise;
    const devices = Array.from({ length: 10_600 }, () => randomUUID());
    for (const device of devices) bus.client.publish(deviceSubject(PROJECT, device, 'heartbeat'));
    await bus.client.flush();
    await bus.server.flush();
    await vi.waitUntil(() => host.dropped.length > 0, { timeout: 5_000 });
    gate.resolve();
    await vi.waitUntil(() => heard.length + host.dropped.length === devices.length + 1, { timeout: 10_000 });
    expect(host.dropped[0]).toMatchObject({ channel: 'heartbeat', reason: 'overflow' });
    // The one that the reader had already taken from the queue stays.
    const dropped = new Set(host.dropped.map(({ subject }) => subject.split('.')[3]));
    expect(host.dropped.length).toBeGreaterThanOrEqual(599);
    expect(host.dropped.length).toBeLessThanOrEqual(600);
    expect(devices.slice(0, 600).filter((device) => dropped.has(device)).length).toBeGreaterThanOrEqual(599);
    expect(heard.slice(-10_000)).toEqual(devices.slice(-10_000));
  });
});
