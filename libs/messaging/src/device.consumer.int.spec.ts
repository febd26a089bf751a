import { deviceStream, deviceSubject } from '@muster/contracts';
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
