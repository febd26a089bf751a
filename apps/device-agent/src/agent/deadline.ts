/** The longest that one timer of Node can wait; a longer one fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Calls `passed` once the clock shows `at` (epoch milliseconds), however far away that is. */
export class Deadline {
  #timer: NodeJS.Timeout | undefined;

  constructor(
    at: number,
    readonly passed: () => void,
  ) {
    this.move(at);
  }

  move(at: number): void {
    clearTimeout(this.#timer);
    const left = at - Date.now();
    this.#timer =
      left > LONGEST_TIMER_MS ? setTimeout(() => this.move(at), LONGEST_TIMER_MS) : setTimeout(this.passed, left);
  }

  cancel(): void {
    clearTimeout(this.#timer);
  }
}
