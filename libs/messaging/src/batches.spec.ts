import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { batches } from './batches.js';

/** A source that gives what is pushed, when it is pushed. */
function tap<T>() {
  const waiting: T[] = [];
  let wake = () => undefined as void;
  let over: { error?: Error } | undefined;
  let taken = 0;
  async function* source(): AsyncGenerator<T> {
    for (;;) {
      if (waiting.length > 0) {
        taken++;
        yield waiting.shift()!;
      } else if (over) {
        if (over.error) throw over.error;
        return;
      } else {
        await new Promise<void>((resolve) => (wake = resolve));
      }
    }
  }
  return {
    source: source(),
    push: (...items: T[]) => {
      waiting.push(...items);
      wake();
    },
    end: (error?: Error) => {
      over = error ? { error } : {};
      wake();
    },
    taken: () => taken,
  };
}

async function* from<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

const LINGER = 50;
const ALWAYS = { leastMs: LINGER, mostMs: LINGER };
const ADAPTIVE = { leastMs: 2, mostMs: LINGER };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('batches', () => {
  it('given any source and size, then everything comes once, in order, in full batches and a last one', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer(), { maxLength: 40 }),
        fc.integer({ min: 1, max: 12 }),
        async (items, size) => {
          const got = await Array.fromAsync(batches(from(items), size, ALWAYS));
          expect(got.flat()).toEqual(items);
          for (const batch of got.slice(0, -1)) expect(batch).toHaveLength(size);
          for (const batch of got.slice(-1)) expect(batch.length).toBeGreaterThan(0);
          expect(got).toHaveLength(Math.ceil(items.length / size));
        },
      ),
    );
  });

  it('given items at any moments, then none waits longer than the linger after the first of its batch', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 3 * LINGER }), { minLength: 1, maxLength: 15 }),
        async (gaps) => {
          const { source, push, end } = tap<number>();
          const got: { at: number; sent: number[] }[] = [];
          const reading = (async () => {
            for await (const sent of batches(source, 5, ALWAYS)) got.push({ at: Date.now(), sent });
          })();
          for (const gap of gaps) {
            await vi.advanceTimersByTimeAsync(gap);
            push(Date.now());
            await vi.advanceTimersByTimeAsync(0);
          }
          await vi.advanceTimersByTimeAsync(LINGER);
          expect(got.flatMap(({ sent }) => sent)).toHaveLength(gaps.length);
          for (const { at, sent } of got) expect(at - sent[0]!).toBeLessThanOrEqual(LINGER);
          end();
          await reading;
        },
      ),
      { numRuns: 50 },
    );
  });

  it('given fewer items than a batch, then they come when the linger is over and not before', async () => {
    const { source, push } = tap<number>();
    const next = batches(source, 10, ALWAYS).next();
    const settled = vi.fn();
    void next.then(settled);
    push(1, 2);
    await vi.advanceTimersByTimeAsync(LINGER - 1);
    expect(settled).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(await next).toEqual({ done: false, value: [1, 2] });
  });

  it('given items one at a time, however long the longest linger is, then none waits longer than the least one', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 13, max: 3 * LINGER }), { minLength: 1, maxLength: 15 }),
        async (gaps) => {
          const { source, push, end } = tap<number>();
          const waits: number[] = [];
          const reading = (async () => {
            for await (const sent of batches(source, 5, ADAPTIVE)) waits.push(...sent.map((at) => Date.now() - at));
          })();
          for (const gap of gaps) {
            await vi.advanceTimersByTimeAsync(gap);
            push(Date.now());
          }
          await vi.advanceTimersByTimeAsync(ADAPTIVE.leastMs);
          expect(waits).toEqual(gaps.map(() => ADAPTIVE.leastMs));
          end();
          await reading;
        },
      ),
      { numRuns: 50 },
    );
  });

  it('given much that comes, then batches grow to what comes within the longest linger, and after a pause the first waits least', async () => {
    const { source, push, end } = tap<number>();
    const got: { at: number; sent: number[] }[] = [];
    const reading = (async () => {
      for await (const sent of batches(source, 500, ADAPTIVE)) got.push({ at: Date.now(), sent });
    })();
    for (let ms = 0; ms < 10 * LINGER; ms++) {
      push(Date.now());
      await vi.advanceTimersByTimeAsync(1);
    }
    expect(got[0]!.at - got[0]!.sent[0]!).toBe(ADAPTIVE.leastMs);
    for (const { sent } of got.slice(1)) expect(sent.length).toBeGreaterThanOrEqual(LINGER);
    expect(got.length).toBeGreaterThan(5);

    await vi.advanceTimersByTimeAsync(3 * LINGER);
    push(Date.now());
    await vi.advanceTimersByTimeAsync(LINGER);
    expect(got.at(-1)!.at - got.at(-1)!.sent[0]!).toBe(ADAPTIVE.leastMs);
    end();
    await reading;
  });

  it('given a full batch, then it does not wait, and leaves no timer behind', async () => {
    const { source, push } = tap<number>();
    push(1, 2, 3);
    expect((await batches(source, 3, ALWAYS).next()).value).toEqual([1, 2, 3]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('given a reader that is slow, then at most one item more than it was given is taken from the source', async () => {
    const { source, push, taken } = tap<number>();
    push(...Array.from({ length: 100 }, (_, index) => index));
    const reader = batches(source, 10, ALWAYS);
    await reader.next();
    await vi.advanceTimersByTimeAsync(10 * LINGER);
    expect(taken()).toBe(11);
  });

  it('given a source that fails while items are gathered, then the reader gets the error', async () => {
    const { source, push, end } = tap<number>();
    const reading = Array.fromAsync(batches(source, 10, ALWAYS));
    push(1);
    await vi.advanceTimersByTimeAsync(1);
    end(new Error('gone'));
    await expect(reading).rejects.toThrow('gone');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('given a source that fails while a full batch is being handled, then the reader gets the error next, and nobody before', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    try {
      const { source, push, end } = tap<number>();
      const reader = batches(source, 2, ALWAYS);
      push(1, 2);
      expect((await reader.next()).value).toEqual([1, 2]);
      end(new Error('gone'));
      vi.useRealTimers();
      // Node looks for rejections that nobody took between two turns of its loop.
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
      expect(unhandled).not.toHaveBeenCalled();
      await expect(reader.next()).rejects.toThrow('gone');
    } finally {
      process.off('unhandledRejection', unhandled);
    }
  });
});
