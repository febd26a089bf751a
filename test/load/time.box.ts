/** A time that several things have together. */
export class TimeBox {
  private readonly over = new AbortController();

  /** `ms`: from now. `stop`: ends it before that, with its reason. */
  constructor(ms: number, stop: AbortSignal) {
    const error = new Error(`the time for all rows, ${Math.round(ms / 1000)} s, was over`);
    setTimeout(() => this.over.abort(error), ms).unref();
    stop.addEventListener('abort', () => this.over.abort(stop.reason));
  }

  /** Does something as long as there is time. @throws once there is none; what was begun goes on, and nobody hears of it. */
  async within<T>(does: () => Promise<T>): Promise<T> {
    const { signal } = this.over;
    signal.throwIfAborted();
    const { promise: over, reject } = Promise.withResolvers<never>();
    const giveUp = () => reject(signal.reason as Error);
    signal.addEventListener('abort', giveUp);
    try {
      return await Promise.race([does(), over]);
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }
}
