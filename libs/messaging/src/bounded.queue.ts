/** What a queue holds at most. */
export interface QueueLimits {
  items: number;
  bytes: number;
}

/** A queue between a source that does not wait and a reader that may be slow: when it is full, the oldest item goes, and is told. */
export class BoundedQueue<T> implements AsyncIterable<T> {
  private readonly items: (T | undefined)[] = [];
  private first = 0;
  private bytes = 0;
  private closed = false;
  private wake: (() => void) | undefined;

  constructor(
    private readonly limits: QueueLimits,
    private readonly bytesOf: (item: T) => number,
    private readonly onDropped: (item: T) => void,
  ) {}

  push(item: T): void {
    this.items.push(item);
    this.bytes += this.bytesOf(item);
    while (this.length > this.limits.items || this.bytes > this.limits.bytes) this.onDropped(this.take());
    this.wake?.();
  }

  /** Ends the reader once it has read what is left. */
  close(): void {
    this.closed = true;
    this.wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      while (this.length > 0) yield this.take();
      if (this.closed) return;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  private get length(): number {
    return this.items.length - this.first;
  }

  private take(): T {
    const item = this.items[this.first]!;
    // Its place stays for a while; what it holds must not.
    this.items[this.first++] = undefined;
    this.bytes -= this.bytesOf(item);
    // Moving all of them at each step would cost more than the step.
    if (this.first > this.limits.items || this.length === 0) {
      this.items.splice(0, this.first);
      this.first = 0;
    }
    return item;
  }
}
