import { deviceStream, deviceSubject, WORK_STREAM } from '@muster/contracts';
import { randomUUID as uuid } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { ensureStreams, streamsOf } from './streams.js';
import { Bus, greeting, knock, PROJECT, SERVICE } from './testing/bus.js';

let bus: Bus;
let heard: string[];

beforeAll(async () => {
  bus = await Bus.start();
});
afterEach(() => bus.rest());
afterAll(() => bus.stop());

const success = () => ({ command_id: uuid(), fence: 1, status: 'success' });
const listen = () => {
  heard = [];
  return bus.serve({
    greet: async ({ items }) => void heard.push(items[0]!.name),
    knock: async () => ({ said: 'here' }),
  });
};
const until = (name: string) => vi.waitUntil(() => heard.includes(name), { timeout: 20_000, interval: 20 });
const deleteWork = async () => {
  const manager = await bus.client.jetstreamManager();
  await manager.streams.delete(WORK_STREAM);
};

describe('a consumer', () => {
  it('given that its stream is deleted, then it makes it again and goes on', async () => {
    await listen();
    await bus.ask(greeting('before'));
    await until('before');
    await deleteWork();
    await vi.waitUntil(
      () =>
        bus
          .left(WORK_STREAM)
          .catch(() => undefined)
          .then((left) => left === 0),
      { timeout: 15_000 },
    );
    await bus.ask(greeting('after'));
    await until('after');
    expect(heard).toEqual(['before', 'after']);
  });

  it('given that its stream is deleted while a batch is handled, then a stop still waits for that batch', async () => {
    const gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    let done = false;
    const host = await bus.serve({
      greet: async () => {
        begun.resolve();
        await gate.promise;
        done = true;
      },
    });
    await bus.ask(greeting('slow'));
    await begun.promise;
    await deleteWork();
    await ensureStreams(bus.client, streamsOf(SERVICE));
    // What the server told the consumer of the deletion has arrived before the answer to this.
    await bus.server.flush();
    const stopped = bus.rest().then(() => done);
    // The longest pause before the consumer would have noticed the stop is 200 ms.
    const first = await Promise.race([stopped, delay(500, 'still waiting')]);
    gate.resolve();
    expect(first).toBe('still waiting');
    expect(await stopped).toBe(true);
    expect(host.parked).toEqual([]);
  });

  it('given a nats-server that is killed and comes back, then work asked before and after is done, and questions are answered', async () => {
    await listen();
    await bus.ask(greeting('before'));
    await until('before');
    await bus.crash();
    await bus.ask(greeting('after'));
    await until('after');
    expect(await bus.rpc.call(knock, { who: 'Ada' })).toEqual({ said: 'here' });
  });

  it('given a nats-server that is killed with work waiting in it, then whatever it kept of that is done once it is back', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, index) => bus.ask(greeting(`waiting ${index}`))));
    await bus.crash();
    await bus.ask(greeting('after'));
    // The server acknowledges before it writes: what was asked last may be gone, and is asked for again by who needs it.
    const kept = await bus.left(WORK_STREAM);
    await listen();
    await vi.waitUntil(() => new Set(heard).size === kept, { timeout: 20_000 });
    expect(heard).toContain('after');
  });

  it('given a nats-server that is killed while messages are acknowledged, then in the end none is left in the stream and none counts as unsettled', async () => {
    const stream = deviceStream('status');
    let handled = 0;
    await bus.serve({ status: async (messages) => void (handled += messages.length) });
    for (let round = 0; round < 3; round++) {
      const upTo = handled + 500;
      for (let index = 0; index < 2_000; index++)
        bus.client.publish(deviceSubject(PROJECT, uuid(), 'status'), JSON.stringify(success()));
      await vi.waitUntil(() => handled > upTo, { timeout: 20_000, interval: 1 });
      await bus.crash();
    }
    const manager = await bus.client.jetstreamManager();
    await vi.waitUntil(
      async () => {
        const consumer = await manager.consumers.info(stream, SERVICE).catch(() => undefined);
        return consumer?.num_pending === 0 && consumer.num_ack_pending === 0 && (await bus.left(stream)) === 0;
      },
      { timeout: 30_000, interval: 100 },
    );
  }, 90_000);
});
