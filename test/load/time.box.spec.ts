import { describe, expect, it } from 'vitest';
import { TimeBox } from './time.box.ts';

const never = new AbortController().signal;

describe('a time for several things', () => {
  it('given enough of it, then each has its result, or its error', async () => {
    const box = new TimeBox(60_000, never);
    await expect(box.within(() => Promise.resolve(1))).resolves.toBe(1);
    await expect(box.within(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  });

  it('given one that does not end, then it is given up, and the next is not begun', async () => {
    const box = new TimeBox(50, never);
    await expect(box.within(() => new Promise(() => undefined))).rejects.toThrow(
      'the time for all rows, 0 s, was over',
    );
    let begun = false;
    const next = box.within(() => Promise.resolve((begun = true)));
    await expect(next).rejects.toThrow('was over');
    expect(begun).toBe(false);
  });

  it('given a stop before its end, then what is under way is given up with the reason, and the next is not begun', async () => {
    const stop = new AbortController();
    const box = new TimeBox(60_000, stop.signal);
    const underWay = box.within(() => new Promise(() => undefined));
    stop.abort(new Error('enough'));
    await expect(underWay).rejects.toThrow('enough');
    await expect(box.within(() => Promise.resolve(1))).rejects.toThrow('enough');
  });
});
