/** Lets at most `limit` tasks run at once; {@link Gate.idle} waits for those that run. */
export class Gate {
  private readonly running = new Set<Promise<void>>();

  constructor(private readonly limit: number) {}

  /** Waits for a free place, then starts the task and returns. The task must not reject. */
  async enter(task: () => Promise<void>): Promise<void> {
    while (this.running.size >= this.limit) await Promise.race(this.running);
    const promise: Promise<void> = task().finally(() => this.running.delete(promise));
    this.running.add(promise);
  }

  async idle(): Promise<void> {
    await Promise.all(this.running);
  }
}
