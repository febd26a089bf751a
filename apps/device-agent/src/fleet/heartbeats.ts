const TICK_MS = 100;

/** Lets each of `members` beat once every `everyMs`, one after the other: evenly, not all at once. */
export class Heartbeats<T> {
  readonly #timer: NodeJS.Timeout;
  #next = 0;
  #due = 0;
  #last = performance.now();

  constructor(
    readonly members: readonly T[],
    readonly everyMs: number,
    readonly beat: (member: T) => void,
  ) {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const now = performance.now();
    const share = (now - this.#last) / this.everyMs;
    this.#last = now;
    // A process that was held up owes each member one beat, not all those it missed.
    this.#due = Math.min(this.members.length, this.#due + this.members.length * share);
    for (; this.#due >= 1; this.#due--) {
      this.#next = (this.#next + 1) % this.members.length;
      this.beat(this.members[this.#next] as T);
    }
  }
}
