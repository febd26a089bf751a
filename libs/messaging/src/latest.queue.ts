import type { QueueLimits } from './bounded.queue.js';

/**
 * A queue between a source that does not wait and a reader that may be slow, of which only the newest item of each key is worth anything: it takes
 * the place of the one before. So whoever pushes much of one key pushes nobody else out. When it is full, the oldest item goes.
 */
export class LatestQueue<T> implements AsyncIterable<T> {
  private readonly items = new Map<string, T>();
  private bytes = 0;
  private closed = false;
  private wake: (() => void) | undefined;

  constructor(
    private readonly limits: QueueLimits,
    private readonly keyOf: (item: T) => string,
    private readonly bytesOf: (item: T) => number,
    private readonly onDropped: (item: T, why: 'overflow' | 'superseded') => void,
  ) {}

  push(item: T): void {
    const key = this.keyOf(item);
    const before = this.items.get(key);
    if (before !== undefined) {
      this.bytes -= this.bytesOf(before);
      this.onDropped(before, 'superseded');
    }
    this.items.set(key, item);
    this.bytes += this.bytesOf(item);
    while (this.items.size > this.limits.items || this.bytes > this.limits.bytes)
      this.onDropped(this.take(), 'overflow');
    this.wake?.();
  }

  /** Ends the reader once it has read what is left. */
  close(): void {
    this.closed = true;
    this.wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      while (this.items.size > 0) yield this.take();
      if (this.closed) return;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  private take(): T {
    const [key, item] = this.items.entries().next().value!;
    this.items.delete(key);
    this.bytes -= this.bytesOf(item);
    return item;
  }
}
