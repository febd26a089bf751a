/**
 * Groups what a source yields: a batch is given as soon as it has `size` items, or `lingerMs` after its first one.
 * It takes nothing from the source while a batch is being handled, so a slow reader slows the source.
 */
export async function* batches<T>(source: AsyncIterable<T>, size: number, lingerMs: number): AsyncGenerator<T[]> {
  const iterator = source[Symbol.asyncIterator]();
  const take = () => {
    const next = iterator.next();
    // It may fail while a batch is being handled; whoever asks for the next batch is told, and until then it is not unhandled.
    next.catch(() => undefined);
    return next;
  };
  let pending = take();
  for (;;) {
    const first = await pending;
    if (first.done) return;
    const batch = [first.value];
    let timer: NodeJS.Timeout | undefined;
    const timeUp = new Promise<'time up'>((resolve) => {
      timer = setTimeout(() => resolve('time up'), lingerMs);
    });
    pending = take();
    let ended = false;
    try {
      while (batch.length < size) {
        const next = await Promise.race([pending, timeUp]);
        if (next === 'time up') break;
        if (next.done) {
          ended = true;
          break;
        }
        batch.push(next.value);
        pending = take();
      }
    } finally {
      clearTimeout(timer);
    }
    yield batch;
    if (ended) return;
  }
}
