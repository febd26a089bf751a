/** A time that several things have together. */
export class TimeBox {
  private readonly seconds: number;
  private end: number;

  /** `ms`: from now. */
  constructor(ms: number) {
    this.seconds = Math.round(ms / 1000);
    this.end = performance.now() + ms;
  }

  /** Does something as long as there is time. @throws once there is none; what was begun goes on, and nobody hears of it. */
  async within<T>(does: () => Promise<T>): Promise<T> {
    const { promise: over, reject } = Promise.withResolvers<never>();
    const error = new Error(`the time for all rows, ${this.seconds} s, was over`);
    const left = this.end - performance.now();
    if (left <= 0) throw error;
    const timer = setTimeout(() => {
      // A timer may be a little early, and over is over.
      this.end = 0;
      reject(error);
    }, left);
    try {
      return await Promise.race([does(), over]);
    } finally {
      clearTimeout(timer);
    }
  }
}
