import { describe, expect, it } from 'vitest';
import { batchLines } from './batches.js';
import type { Line } from './lines.js';

const line = (number: number, text = 'x'): Line => ({ number, text });
const lines = (from: number, count: number, text?: string) =>
  Array.from({ length: count }, (_, at) => line(from + at, text));

async function* source(...chunks: Line[][]): AsyncGenerator<Line[], void> {
  yield* chunks;
}

const sizes = async (chunks: AsyncGenerator<Line[], void>) => {
  const batches: Line[][] = [];
  for await (const batch of batchLines(chunks)) batches.push(batch);
  const numbers = batches.flat().map(({ number }) => number);
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  return batches.map((batch) => batch.length);
};

describe('given lines that come in chunks', () => {
  it('when there are many, then batches are full but for the last', async () => {
    expect(await sizes(source(lines(1, 300), lines(301, 300), lines(601, 601)))).toEqual([500, 500, 201]);
  });

  it('when lines are long, then a batch is bounded by its size, and a single line always goes', async () => {
    expect(await sizes(source(lines(1, 5, 'x'.repeat(100_000))))).toEqual([2, 2, 1]);
    expect(await sizes(source(lines(1, 2, 'x'.repeat(300_000))))).toEqual([1, 1]);
  });

  it('when the sender pauses, then what is there goes without waiting for more', async () => {
    let goOn: () => void = () => undefined;
    const pause = new Promise<void>((resolve) => (goOn = resolve));
    async function* slow(): AsyncGenerator<Line[], void> {
      yield lines(1, 2);
      await pause;
      yield lines(3, 1);
    }
    const batches = batchLines(slow());
    expect((await batches.next()).value).toHaveLength(2);
    goOn();
    expect((await batches.next()).value).toHaveLength(1);
    expect((await batches.next()).done).toBe(true);
  });

  it('when reading fails, then so do the batches, after none was lost that was full', async () => {
    async function* failing(): AsyncGenerator<Line[], void> {
      yield lines(1, 500);
      throw new Error('gone');
    }
    const batches = batchLines(failing());
    expect((await batches.next()).value).toHaveLength(500);
    await expect(batches.next()).rejects.toThrow('gone');
  });

  it('when nobody wants more, then the source is closed', async () => {
    let closed = false;
    async function* endless(): AsyncGenerator<Line[], void> {
      try {
        for (;;) yield lines(1, 500);
      } finally {
        closed = true;
      }
    }
    const batches = batchLines(endless());
    await batches.next();
    await batches.return();
    await expect.poll(() => closed).toBe(true);
  });
});
