import type { RunnerKey } from './runner.js';

/** Lets things go on at once to which something happened; the sweep finds those that it was not told of. */
export class Wake {
  private listener: (key: RunnerKey) => void = () => undefined;

  /** Who is told. */
  listen(listener: (key: RunnerKey) => void): void {
    this.listener = listener;
  }

  wake(key: RunnerKey): void {
    this.listener(key);
  }
}
