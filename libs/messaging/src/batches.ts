/**
 * Groups what a source yields: a batch is given as soon as it has `size` items, or `lingerMs` after its first one.
 * It takes nothing from the source while a batch is being handled, so a slow reader slows the source.
 */
export async function* batches<T>(source: AsyncIterable<T>, size: number, lingerMs: number): AsyncGenerator<T[]> {
  const iterator = source[Symbol.asyncIterator]();
  let pending = iterator.next();
  for (;;) {
    const first = await pending;
    if (first.done) return;
    const batch = [first.value];
    let timer: NodeJS.Timeout | undefined;
    const timeUp = new Promise<'time up'>((resolve) => {
      timer = setTimeout(() => resolve('time up'), lingerMs);
    });
    pending = iterator.next();
    let ended = false;
    while (batch.length < size) {
      const next = await Promise.race([pending, timeUp]);
      if (next === 'time up') break;
      if (next.done) {
        ended = true;
        break;
      }
      batch.push(next.value);
      pending = iterator.next();
    }
    clearTimeout(timer);
    yield batch;
    if (ended) return;
  }
}
