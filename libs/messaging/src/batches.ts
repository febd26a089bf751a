/** How long a batch is gathered: `leastMs` while little comes, `mostMs` while much does. */
export interface Linger {
  leastMs: number;
  mostMs: number;
}

/** What must be expected to come within the longest linger for it to be worth the wait. */
const WORTH_WAITING = 8;

/**
 * Groups what a source yields: a batch is given as soon as it has `size` items, or its linger after its first one. What comes after a pause,
 * or alone, lingers least, so that whoever waits for one item is not held up by the gathering of many.
 * It takes nothing from the source while a batch is being handled, so a slow reader slows the source.
 */
export async function* batches<T>(
  source: AsyncIterable<T>,
  size: number,
  { leastMs, mostMs }: Linger,
): AsyncGenerator<T[]> {
  const iterator = source[Symbol.asyncIterator]();
  let previous = { size: 0, at: performance.now() };
  let pending = iterator.next();
  for (;;) {
    const asked = performance.now();
    const first = await pending;
    if (first.done) return;
    const now = performance.now();
    // Where the last batch was handled slowly, its items stand for all of that time: what counts is how fast they come.
    const expected = (previous.size * mostMs) / Math.max(now - previous.at, 1);
    const linger = now - asked < mostMs && expected >= WORTH_WAITING ? mostMs : leastMs;
    const gathered = await gather(first.value, size, linger, () => (pending = iterator.next()));
    previous = { size: gathered.batch.length, at: now };
    yield gathered.batch;
    if (gathered.ended) return;
  }
}

/** Takes until the batch is full, its time is up or the source ends; one item is asked for beyond it. */
function gather<T>(
  first: T,
  size: number,
  lingerMs: number,
  take: () => Promise<IteratorResult<T, unknown>>,
): Promise<{ batch: T[]; ended: boolean }> {
  const batch = [first];
  return new Promise((resolve, reject) => {
    let open = true;
    const close = (ended: boolean) => {
      open = false;
      clearTimeout(timer);
      resolve({ batch, ended });
    };
    const timer = setTimeout(() => close(false), lingerMs);
    // What comes too late stays in the promise, where the next batch finds it.
    const onNext = (next: IteratorResult<T, unknown>) => {
      if (!open) return;
      if (next.done) return close(true);
      batch.push(next.value);
      askForNext();
    };
    // It may fail while a batch is being handled; whoever asks for the next batch is told, and until then it is not unhandled.
    const onError = (error: Error) => {
      if (!open) return;
      clearTimeout(timer);
      reject(error);
    };
    // One reaction an item, and no race against the timer: this runs for each message of each device.
    const askForNext = () => {
      const next = take();
      if (batch.length >= size) close(false);
      next.then(onNext, onError);
    };
    askForNext();
  });
}
