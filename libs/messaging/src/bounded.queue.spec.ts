import fc from 'fast-check';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it, vi } from 'vitest';
import { BoundedQueue } from './bounded.queue.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const limits = { items: 5, bytes: 20 };
/** An item is its size; `null` stands for a reader that takes one. */
const steps = fc.array(fc.oneof(fc.integer({ min: 0, max: 30 }), fc.constant(null)), { maxLength: 60 });

describe('a bounded queue', () => {
  it('given any writing and reading, then it holds no more than its limits, and each item is read or dropped, once and in order', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (sequence) => {
        const pushed: { size: number }[] = [];
        const dropped: { size: number }[] = [];
        const read: { size: number }[] = [];
        const held = () => pushed.filter((item) => !dropped.includes(item) && !read.includes(item));
        const queue = new BoundedQueue<{ size: number }>(
          limits,
          ({ size }) => size,
          (item) => dropped.push(item),
        );
        const reader = queue[Symbol.asyncIterator]();
        for (const size of sequence) {
          if (size === null) {
            if (held().length > 0) read.push((await reader.next()).value as { size: number });
            continue;
          }
          const item = { size };
          pushed.push(item);
          queue.push(item);
          expect(held().length).toBeLessThanOrEqual(limits.items);
          expect(held().reduce((sum, one) => sum + one.size, 0)).toBeLessThanOrEqual(limits.bytes);
        }
        const left = held();
        queue.close();
        for await (const item of queue) read.push(item);
        expect(read.slice(read.length - left.length)).toEqual(left);
        expect(read.map((item) => pushed.indexOf(item))).toEqual(
          read.map((item) => pushed.indexOf(item)).sort((a, b) => a - b),
        );
        expect(new Set([...read, ...dropped]).size).toBe(pushed.length);
        expect(read.length + dropped.length).toBe(pushed.length);
      }),
    );
  });

  it('given a reader that waits, then it is given what comes, and ends when the queue is closed', async () => {
    const queue = new BoundedQueue<string>(
      limits,
      ({ length }) => length,
      () => undefined,
    );
    const reader = queue[Symbol.asyncIterator]();
    const first = reader.next();
    queue.push('a');
    expect(await first).toEqual({ done: false, value: 'a' });
    const end = reader.next();
    queue.close();
    expect(await end).toEqual({ done: true, value: undefined });
  });

  it('given nobody who reads, then what was dropped can be collected', async () => {
    const dropped: WeakRef<object>[] = [];
    const queue = new BoundedQueue<{ size: number }>(
      { items: 100, bytes: 20 },
      ({ size }) => size,
      (item) => dropped.push(new WeakRef(item)),
    );
    for (let index = 0; index < 50; index++) queue.push({ size: 10 });
    await vi.waitUntil(() => {
      collectGarbage();
      return dropped.every((item) => item.deref() === undefined);
    });
    expect(dropped).toHaveLength(48);
    queue.close();
  });
});
