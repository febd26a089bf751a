import type { JsMsg, NatsConnection } from 'nats';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ACK_WAIT_MS, PullConsumer, whileWorking } from './pull.consumer.js';

vi.mock('./back-off.js', () => ({ PASSING_TROUBLE_MS: 2_000, backOff: () => 30_000 }));

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const messages = (count: number) => Array.from({ length: count }, () => ({ working: vi.fn() }));
const asMessages = (of: ReturnType<typeof messages>) => of as unknown as JsMsg[];

describe('whileWorking', () => {
  it('given a handler that takes longer than the server waits, then the server hears of every message in time', async () => {
    const batch = messages(3);
    const gate = Promise.withResolvers<string>();
    const result = whileWorking(asMessages(batch), gate.promise);
    for (let round = 1; round <= 4; round++) {
      await vi.advanceTimersByTimeAsync(ACK_WAIT_MS - 1);
      for (const { working } of batch) expect(working.mock.calls.length).toBeGreaterThanOrEqual(2 * round);
    }
    gate.resolve('done');
    expect(await result).toBe('done');
  });

  it.each([
    ['returns', () => Promise.resolve()],
    ['throws', () => Promise.reject(new Error('no'))],
  ])('given a handler that %s, then the server hears no more', async (_how, handle) => {
    const batch = messages(1);
    await whileWorking(asMessages(batch), handle()).catch(() => undefined);
    await vi.advanceTimersByTimeAsync(10 * ACK_WAIT_MS);
    expect(batch[0]!.working).not.toHaveBeenCalled();
  });
});

const options = { stream: 'S', durable: 'd', subject: 's', prefetch: 1, maxPending: 1 };
const noStatus = () => ({ async *[Symbol.asyncIterator]() {} });

describe('PullConsumer', () => {
  it('given a bus that does not say whether there is a consumer, then none is made: it might be the old one by a new name', async () => {
    vi.useRealTimers();
    const failed = Promise.withResolvers<unknown>();
    const consumers = { info: () => Promise.reject(new Error('TIMEOUT')), add: vi.fn(), update: vi.fn() };
    const connection = {
      status: noStatus,
      info: { server_id: 'B' },
      jetstreamManager: () => Promise.resolve({ consumers }),
    };
    const consumer = new PullConsumer(
      connection as unknown as NatsConnection,
      options,
      { onError: (_subject, error) => failed.resolve(error) },
      () => Promise.resolve(),
      () => Promise.resolve(),
    );
    consumer.start();
    expect(await failed.promise).toMatchObject({ message: 'TIMEOUT' });
    await consumer.stop();
    expect(consumers.add).not.toHaveBeenCalled();
    expect(consumers.update).not.toHaveBeenCalled();
  });

  it('given a stop while it waits before the next try, then it stops at once', async () => {
    vi.useRealTimers();
    const failed = Promise.withResolvers<void>();
    const consumer = new PullConsumer(
      { status: noStatus } as unknown as NatsConnection,
      options,
      { onError: () => failed.resolve() },
      () => Promise.reject(new Error('the bus is away')),
      () => Promise.resolve(),
    );
    consumer.start();
    await failed.promise;
    const before = performance.now();
    await consumer.stop();
    expect(performance.now() - before).toBeLessThan(1_000);
  });
});
