import type { JsMsg } from 'nats';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { carefully } from './careful.js';
import { ACK_WAIT_MS } from './pull.consumer.js';
import { nameOf } from './settle.js';
import { KeepingHost } from './testing/bus.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const message = (streamSequence: number) => {
  const info = { stream: 'S', consumer: 'c', streamSequence, timestampNanos: 1, redeliveryCount: 5 };
  return { info, working: vi.fn() } as unknown as JsMsg & { working: ReturnType<typeof vi.fn> };
};

it('given a batch whose others take long, then the server hears of a suspect that waits for its turn', async () => {
  const [suspect, other] = [message(1), message(2)];
  const host = new KeepingHost();
  host.watch.lost.set(nameOf(suspect), 1);
  const slow = Promise.withResolvers<void>();
  const settled: JsMsg[][] = [];
  const done = carefully(
    [suspect, other],
    (one) => one,
    host,
    async (some) => {
      if (settled.push([...some]) === 1) await slow.promise;
    },
  );
  await vi.advanceTimersByTimeAsync(3 * ACK_WAIT_MS);
  expect(settled).toEqual([[other]]);
  expect(suspect.working.mock.calls.length).toBeGreaterThanOrEqual(6);
  slow.resolve();
  await done;
  expect(settled).toEqual([[other], [suspect]]);
});
