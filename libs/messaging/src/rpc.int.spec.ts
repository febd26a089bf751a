import { DomainError, defineRpc } from '@muster/contracts';
import Type from 'typebox';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Bus, KeepingHost, knock, serve, SERVICE } from './testing/bus.js';

let bus: Bus;

beforeAll(async () => {
  bus = await Bus.start();
});
afterEach(() => bus.rest());
afterAll(() => bus.stop());

const ask = (who = 'Ada') => bus.rpc.call(knock, { who });

describe('a question', () => {
  it('given a handler, then its answer comes back, and it is counted', async () => {
    const host = await bus.serve({ knock: async ({ who }) => ({ said: `Hello ${who}` }) });
    expect(await ask()).toEqual({ said: 'Hello Ada' });
    expect(host.handled).toMatchObject([{ pattern: knock.subject, outcome: 'ok' }]);
  });

  it('given a handler that refuses, then kind, message and details come back, and nobody is alarmed', async () => {
    const errors = [{ field: 'who', message: 'is required' }];
    const host = await bus.serve({
      knock: () => Promise.reject(new DomainError('conflict', 'already inside', { errors })),
    });
    const refusal = await ask().catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(DomainError);
    expect(refusal).toMatchObject({ kind: 'conflict', message: 'already inside', details: { errors } });
    expect(host.handled).toMatchObject([{ outcome: 'refused' }]);
    expect(host.errors).toEqual([]);
  });

  it('given a handler that fails, then the asker is told that, and only the log is told why', async () => {
    const cause = new Error('password=hunter2 at db:5432');
    const host = await bus.serve({ knock: () => Promise.reject(cause) });
    const refusal = await ask().catch((error: unknown) => error);
    expect(refusal).toMatchObject({ kind: 'unavailable', message: `${SERVICE} could not answer` });
    expect(JSON.stringify(refusal, Object.getOwnPropertyNames(refusal))).not.toContain('hunter2');
    expect(host.errors).toEqual([{ pattern: knock.subject, error: cause }]);
    expect(host.handled).toMatchObject([{ outcome: 'failed' }]);
  });

  it('given something that is not JSON, then it is answered as a failure, and the service goes on', async () => {
    await bus.serve({ knock: async () => ({ said: 'Hello' }) });
    const reply = await bus.client.request(knock.subject, '{', { timeout: 5_000 });
    expect(reply.json()).toMatchObject({ error: { kind: 'unavailable' } });
    expect(await ask()).toEqual({ said: 'Hello' });
  });

  it('given a request that does not fit the contract, then it is refused, naming the field, and no handler sees it', async () => {
    let asked = 0;
    const host = await bus.serve({ knock: async () => ({ said: String(asked++) }) });
    const refusal = await ask(7 as unknown as string).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ name: 'DomainError', kind: 'invalid', message: 'who: must be string' });
    expect(asked).toBe(0);
    expect(host.handled).toMatchObject([{ outcome: 'refused' }]);
  });

  it('given a request larger than the bus carries, then the asker is told so, with the limit', async () => {
    await bus.serve({ knock: async () => ({ said: 'Hello' }) });
    const limit = bus.client.info!.max_payload;
    await expect(ask('x'.repeat(limit))).rejects.toMatchObject({
      kind: 'too_large',
      message: `the request is larger than the bus carries (${limit} bytes)`,
    });
  });

  it('given a rush, then no more are handled at once than a service can bear, and all are answered, even at a stop', async () => {
    let most = 0;
    let inside = 0;
    const full = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    await bus.serve({
      knock: async ({ who }) => {
        most = Math.max(most, ++inside);
        if (inside === 64) full.resolve();
        await gate.promise;
        inside--;
        return { said: who };
      },
    });
    const answers = Promise.all(Array.from({ length: 200 }, (_, index) => ask(String(index))));
    await full.promise;
    await bus.client.flush();
    await bus.server.flush();
    const stopped = bus.rest();
    gate.resolve();
    await stopped;
    expect((await answers).map(({ said }) => said)).toEqual(Array.from({ length: 200 }, (_, index) => String(index)));
    expect(most).toBe(64);
  });

  it('given more than may wait, then the rest is turned away at once, and those that wait are answered', async () => {
    const gate = Promise.withResolvers<void>();
    const host = await bus.serve({
      knock: async ({ who }) => {
        await gate.promise;
        return { said: who };
      },
    });
    const answers = Promise.allSettled(Array.from({ length: 1_200 }, (_, index) => ask(String(index))));
    await vi.waitUntil(() => host.handled.length === 1_200 - 64 - 1_000, { timeout: 10_000 });
    gate.resolve();
    const refused = (await answers).flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
    expect(refused).toHaveLength(136);
    expect(refused[0]).toMatchObject({ kind: 'unavailable', message: `${SERVICE} has too much to do` });
    const outcomes = Object.groupBy(host.handled, ({ outcome }) => outcome);
    expect([outcomes['busy']?.length, outcomes['ok']?.length]).toEqual([136, 1_064]);
  });

  it('given large requests, then no more wait than a fixed number of bytes', async () => {
    const gate = Promise.withResolvers<void>();
    const host = await bus.serve({
      knock: async () => {
        await gate.promise;
        return { said: '' };
      },
    });
    const large = 'x'.repeat(1024 * 1024);
    const answers = Promise.allSettled(Array.from({ length: 64 + 20 }, () => ask(large)));
    await vi.waitUntil(() => host.handled.length === 5, { timeout: 10_000 });
    gate.resolve();
    const answered = (await answers).filter(({ status }) => status === 'fulfilled').length;
    expect(answered).toBe(64 + 15);
  });

  it('given an answer larger than the bus carries, then the asker gets a refusal and not silence', async () => {
    const host = await bus.serve({ knock: async () => ({ said: 'x'.repeat(9 * 1024 * 1024) }) });
    await expect(ask()).rejects.toMatchObject({ kind: 'unavailable', message: `${SERVICE} could not answer` });
    expect(host.errors).toHaveLength(1);
  });

  it('given two replicas, then each question is answered by one of them', async () => {
    const answered = [0, 0];
    await bus.serve({ knock: async () => ({ said: String(answered[0]!++) }) });
    const stop = await serve(bus.client, { knock: async () => ({ said: String(answered[1]!++) }) }, new KeepingHost());
    try {
      await Promise.all(Array.from({ length: 40 }, () => ask()));
    } finally {
      await stop();
    }
    expect(answered[0]! + answered[1]!).toBe(40);
    expect(Math.min(...answered)).toBeGreaterThan(0);
  });

  it('given a stop, then a question that is being answered is answered first', async () => {
    const asked = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    await bus.serve({
      knock: async () => {
        asked.resolve();
        await gate.promise;
        return { said: 'still here' };
      },
    });
    const answer = ask();
    await asked.promise;
    const stopped = bus.rest();
    gate.resolve();
    await stopped;
    expect(await answer).toEqual({ said: 'still here' });
  });
});

describe('a service that is away', () => {
  it('given one that comes within seconds, then the question waits for it', async () => {
    const answer = ask();
    await bus.serve({ knock: async ({ who }) => ({ said: `late, ${who}` }) });
    expect(await answer).toEqual({ said: 'late, Ada' });
  });

  it('given one that does not come, then the question is refused as unavailable, naming the service', async () => {
    const nobody = defineRpc('job-planner', 'nobody', Type.Object({}), Type.Object({}));
    await expect(bus.rpc.call(nobody, {})).rejects.toMatchObject({
      name: 'DomainError',
      kind: 'unavailable',
      message: 'job-planner does not answer',
    });
  });

  it('given one that takes too long, then the question is refused and not asked again', async () => {
    let asked = 0;
    const gate = Promise.withResolvers<void>();
    await bus.serve({
      knock: async () => {
        asked++;
        await gate.promise;
        return { said: '' };
      },
    });
    await expect(bus.rpc.call(knock, { who: 'Ada' }, 200)).rejects.toMatchObject({ kind: 'unavailable' });
    gate.resolve();
    await bus.rest();
    expect(asked).toBe(1);
  });
});
