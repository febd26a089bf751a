/**
 * Lets readers of the same thing share one read. A reader never joins a read that has begun before it came, so that none is shown what was
 * before its own question: at most one read of a thing is under way, and all who come meanwhile share the next.
 */
export class SharedReads<T> {
  private readonly underway = new Map<string, Promise<T>>();
  private readonly next = new Map<string, Promise<T>>();

  read(key: string, read: () => Promise<T>): Promise<T> {
    const present = this.underway.get(key);
    if (!present) return this.start(key, read);
    let next = this.next.get(key);
    if (!next) {
      const begin = () => {
        this.next.delete(key);
        return this.start(key, read);
      };
      next = present.then(begin, begin);
      this.next.set(key, next);
    }
    return next;
  }

  private start(key: string, read: () => Promise<T>): Promise<T> {
    const present = read().finally(() => {
      if (this.underway.get(key) === present) this.underway.delete(key);
    });
    this.underway.set(key, present);
    return present;
  }
}
