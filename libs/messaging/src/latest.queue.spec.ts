import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LatestQueue } from './latest.queue.js';

interface Item {
  key: string;
  size: number;
  at: number;
}
const limits = { items: 4, bytes: 20 };
/** An item of a key with a size; `null` stands for a reader that takes one. */
const steps = fc.array(
  fc.oneof(
    fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), size: fc.integer({ min: 0, max: 25 }) }),
    fc.constant(null),
  ),
  { maxLength: 60 },
);

describe('a queue of the latest', () => {
  it('given any writing and reading, then it holds one of each key within its limits, the newest, and each item is read or dropped once', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (sequence) => {
        const pushed: Item[] = [];
        const gone: Item[] = [];
        const held = () => pushed.filter((item) => !gone.includes(item));
        const queue = new LatestQueue<Item>(
          limits,
          ({ key }) => key,
          ({ size }) => size,
          (item, why) => {
            if (why === 'superseded') expect(pushed.at(-1)!.key).toBe(item.key);
            gone.push(item);
          },
        );
        const reader = queue[Symbol.asyncIterator]();
        for (const [at, step] of sequence.entries()) {
          if (step) {
            const item = { ...step, at };
            pushed.push(item);
            queue.push(item);
          } else if (held().length > 0) {
            gone.push((await reader.next()).value as Item);
          }
          const keys = held().map(({ key }) => key);
          expect(new Set(keys).size).toBe(keys.length);
          expect(keys.length).toBeLessThanOrEqual(limits.items);
          expect(held().reduce((sum, { size }) => sum + size, 0)).toBeLessThanOrEqual(limits.bytes);
          for (const item of held()) expect(pushed.findLast(({ key }) => key === item.key)).toBe(item);
        }
        const left = held();
        queue.close();
        const rest: Item[] = [];
        for (let next = await reader.next(); !next.done; next = await reader.next()) rest.push(next.value);
        expect(new Set(rest)).toEqual(new Set(left));
        expect(new Set([...gone, ...rest]).size).toBe(pushed.length);
      }),
    );
  });

  it('given one that pushes without end, then the others stay, and it keeps its place', async () => {
    const dropped: string[] = [];
    const queue = new LatestQueue<string>(
      limits,
      (item) => item[0]!,
      () => 1,
      (item, why) => dropped.push(`${item} ${why}`),
    );
    for (const item of ['a1', 'b1', 'c1', 'a2', 'a3', 'a4']) queue.push(item);
    queue.close();
    expect(await Array.fromAsync(queue)).toEqual(['a4', 'b1', 'c1']);
    expect(dropped).toEqual(['a1 superseded', 'a2 superseded', 'a3 superseded']);
  });
});
