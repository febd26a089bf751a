import { describe, expect, it } from 'vitest';
import { SharedReads } from './shared.reads.js';

/** Reads of a value that changes; each sees the value as it was when it began, and ends when it is told to. */
class Source {
  value = 0;
  readonly begun: PromiseWithResolvers<number>[] = [];
  readonly seen: number[] = [];

  readonly read = (): Promise<number> => {
    const read = Promise.withResolvers<number>();
    this.seen.push(this.value);
    this.begun.push(read);
    return read.promise;
  };

  end(at: number): void {
    this.begun[at]!.resolve(this.seen[at]!);
  }
}

describe('shared reads', () => {
  it('given many readers while one read is under way, then they share the next, which begins after all of them came', async () => {
    const [reads, source] = [new SharedReads<number>(), new Source()];
    const first = reads.read('a', source.read);
    source.value = 1;
    const second = reads.read('a', source.read);
    source.value = 2;
    const third = reads.read('a', source.read);
    expect(source.begun).toHaveLength(1);
    source.end(0);
    expect(await first).toBe(0);
    expect(source.begun).toHaveLength(2);
    source.value = 3;
    const fourth = reads.read('a', source.read);
    source.end(1);
    expect(await Promise.all([second, third])).toEqual([2, 2]);
    expect(source.begun).toHaveLength(3);
    source.end(2);
    expect(await fourth).toBe(3);
    const alone = reads.read('a', source.read);
    source.end(3);
    expect(await alone).toBe(3);
  });

  it('given readers of different things, then none waits for another', () => {
    const [reads, source] = [new SharedReads<number>(), new Source()];
    void reads.read('a', source.read);
    void reads.read('b', source.read);
    expect(source.begun).toHaveLength(2);
  });

  it('given a read that fails, then those who share it fail with it, and the next is tried on its own', async () => {
    const [reads, source] = [new SharedReads<number>(), new Source()];
    const first = reads.read('a', source.read);
    const second = reads.read('a', source.read);
    source.begun[0]!.reject(new Error('gone'));
    await expect(first).rejects.toThrow('gone');
    source.end(1);
    expect(await second).toBe(0);
  });
});
