import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Gate } from './gate.js';

describe('a gate', () => {
  it('given tasks of any length, then never more than the limit run, and all have run when it is idle', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 30 }),
        async (limit, lengths) => {
          const gate = new Gate(limit);
          let running = 0;
          let most = 0;
          let done = 0;
          for (const length of lengths)
            await gate.enter(async () => {
              most = Math.max(most, ++running);
              for (let turn = 0; turn < length; turn++) await Promise.resolve();
              running--;
              done++;
            });
          await gate.idle();
          expect(done).toBe(lengths.length);
          expect(most).toBeLessThanOrEqual(limit);
        },
      ),
    );
  });

  it('given a free place, then entering does not wait for the task; given none, then it does', async () => {
    const gate = new Gate(2);
    const open = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
    const entered: number[] = [];
    for (const [index, { promise }] of open.entries())
      await gate.enter(() => promise.then(() => void entered.push(index)));
    const third = gate.enter(async () => void entered.push(2));
    await Promise.resolve();
    expect(entered).toEqual([]);
    open[1].resolve();
    await third;
    expect(entered).toEqual([1, 2]);
    open[0].resolve();
    await gate.idle();
    expect(entered).toEqual([1, 2, 0]);
  });
});
