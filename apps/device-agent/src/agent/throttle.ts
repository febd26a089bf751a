/** Calls `use` with the newest value, at most once every `everyMs`; what comes in between is replaced by what comes later. */
export class Throttle<T> {
  #last = -Infinity;
  #timer: NodeJS.Timeout | undefined;
  #newest: T | undefined;

  constructor(
    readonly everyMs: number,
    readonly use: (value: T) => void,
  ) {}

  push(value: T): void {
    this.#newest = value;
    this.#timer ??= setTimeout(() => this.#fire(), Math.max(0, this.#last + this.everyMs - performance.now()));
  }

  /** Forgets a value that waits. */
  cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #fire(): void {
    this.#timer = undefined;
    this.#last = performance.now();
    this.use(this.#newest as T);
  }
}
