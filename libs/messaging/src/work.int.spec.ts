import { WORK_STREAM } from '@muster/contracts';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Bus, greet, greeting, PROJECT, type Greeting } from './testing/bus.js';

let bus: Bus;

beforeAll(async () => {
  bus = await Bus.start();
});
afterEach(async () => {
  await bus.rest();
  const manager = await bus.client.jetstreamManager();
  await manager.streams.delete(WORK_STREAM);
});
afterAll(() => bus.stop());

const untilNoneLeft = () => vi.waitUntil(async () => (await bus.left(WORK_STREAM)) === 0, { timeout: 10_000 });

describe('work', () => {
  it('given a batch, then it is handled as it was asked, and is gone when it is done', async () => {
    const heard: Greeting[] = [];
    const host = await bus.serve({ greet: async (batch) => void heard.push(batch) });
    await bus.ask(greeting('Ada', 'Grace'));
    await untilNoneLeft();
    expect(heard).toEqual([greeting('Ada', 'Grace')]);
    expect(host.handled).toMatchObject([{ pattern: greet.subject, outcome: 'ok' }]);
  });

  it('given a batch whose handler still runs, then it is not gone', async () => {
    const gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    await bus.serve({
      greet: () => {
        begun.resolve();
        return gate.promise;
      },
    });
    await bus.ask(greeting('Ada'));
    await begun.promise;
    expect(await bus.left(WORK_STREAM)).toBe(1);
    gate.resolve();
    await untilNoneLeft();
  });

  it('given a handler that throws, then the batch comes again, each time after a longer wait, until it is done', async () => {
    const at: number[] = [];
    const host = await bus.serve({
      greet: async () => {
        at.push(performance.now());
        if (at.length < 3) throw new Error('not yet');
      },
    });
    await bus.ask(greeting('Ada'));
    await untilNoneLeft();
    const [first, second, third] = at as [number, number, number];
    expect(at).toHaveLength(3);
    // Half of the first and of the second wait are certain, the rest is chance; the server's clock may differ by a little.
    expect(second - first).toBeGreaterThan(90);
    expect(third - second).toBeGreaterThan(190);
    expect(host.handled.map(({ outcome }) => outcome)).toEqual(['failed', 'failed', 'ok']);
    expect(host.errors).toHaveLength(2);
    expect(host.parked).toEqual([]);
  });

  it.each([
    ['a field that is missing', { project_id: PROJECT, head: {}, items: [] }, 'head.language: is required'],
    ['an item of another shape', { ...greeting('Ada'), items: [{ name: 1 }] }, 'items.0.name: must be string'],
    ['more items than a batch may have', greeting(...Array.from({ length: 501 }, () => 'x')), /^items: /],
    ['text that no database takes', greeting('\u0000'), 'items.0.name: contains U+0000'],
  ])(
    'given %s, then the batch is parked at once with the reason, and no handler sees it',
    async (_what, batch, why) => {
      const heard: Greeting[] = [];
      const host = await bus.serve({ greet: async (greeted) => void heard.push(greeted) });
      await bus.ask(JSON.stringify(batch));
      await untilNoneLeft();
      expect(heard).toEqual([]);
      expect(host.parked).toMatchObject([{ subject: greet.subject, deliveries: 1 }]);
      expect(host.parked[0]!.reason).toMatch(why);
      expect(new TextDecoder().decode(host.parked[0]!.payload)).toBe(JSON.stringify(batch));
    },
  );

  it('given fields that the contract does not name, then the handler gets the batch', async () => {
    const heard: unknown[] = [];
    await bus.serve({ greet: async (greeted) => void heard.push(greeted) });
    const batch = { ...greeting('Ada'), head: { language: 'en', tone: 'warm' } };
    await bus.ask(JSON.stringify(batch));
    await untilNoneLeft();
    expect(heard).toEqual([batch]);
  });

  it('given many batches, then no more are handled at once than the handler allows', async () => {
    let running = 0;
    let most = 0;
    let done = 0;
    await bus.serve({
      greet: async () => {
        most = Math.max(most, ++running);
        await bus.server.flush();
        running--;
        done++;
      },
    });
    await Promise.all(Array.from({ length: 50 }, (_, index) => bus.ask(greeting(String(index)))));
    await untilNoneLeft();
    expect(done).toBe(50);
    expect(most).toBe(2);
  });

  it('given a stop, then it waits for what is being handled, and what nobody began is there for the next', async () => {
    const gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    let done = false;
    await bus.serve({
      greet: async () => {
        begun.resolve();
        await gate.promise;
        done = true;
      },
    });
    await bus.ask(greeting('Ada'));
    await begun.promise;
    const stopped = bus.rest().then(() => done);
    await bus.ask(greeting('Grace'));
    gate.resolve();
    expect(await stopped).toBe(true);

    const heard: Greeting[] = [];
    await bus.serve({ greet: async (batch) => void heard.push(batch) });
    await vi.waitUntil(() => heard.length === 1);
    expect(heard).toEqual([greeting('Grace')]);
  });

  it('given a stop right after the start, then it stops', async () => {
    for (let round = 0; round < 5; round++) {
      await bus.serve({});
      await bus.rest();
    }
    const heard: Greeting[] = [];
    await bus.serve({ greet: async (batch) => void heard.push(batch) });
    await bus.ask(greeting('Ada'));
    await untilNoneLeft();
    expect(heard).toHaveLength(1);
  });
});
