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

describe('PullConsumer', () => {
  it('given a stop while it waits before the next try, then it stops at once', async () => {
    vi.useRealTimers();
    const failed = Promise.withResolvers<void>();
    const consumer = new PullConsumer(
      { status: () => ({ async *[Symbol.asyncIterator]() {} }) } as unknown as NatsConnection,
      { stream: 'S', durable: 'd', subject: 's', prefetch: 1, maxPending: 1 },
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
