/** Most that are kept. */
const MOST = 500;

/** Of whatever is added, an even part: all as long as they are few, then every second, every fourth, … */
export class EvenSample<T> {
  #kept: T[] = [];
  #every = 1;
  #added = 0;

  add(one: T): void {
    if (this.#added++ % this.#every > 0) return;
    this.#kept.push(one);
    if (this.#kept.length <= MOST) return;
    this.#kept = this.#kept.filter((_, place) => place % 2 === 0);
    this.#every *= 2;
  }

  get kept(): readonly T[] {
    return this.#kept;
  }

  /** Nothing was left out. */
  get isWhole(): boolean {
    return this.#every === 1;
  }
}
