import { BATCH_SIZE } from '@muster/contracts';
import { setTimeout as delay } from 'node:timers/promises';
import type { Line } from './lines.js';

/** A batch goes once its first line has waited so long, so that a slow sender hears of every line. */
const WAIT_MS = 50;
/** Characters of a batch at most: one message on the bus holds it, whose limit is 1 MiB unless the bus is told otherwise. */
const BATCH_CHARACTERS = 256 * 1024;

const LATE = Symbol('late');

/** Puts lines together into batches, in order; reads ahead by one chunk at most. */
export async function* batchLines(source: AsyncGenerator<Line[], void>): AsyncGenerator<Line[], void> {
  const held: Line[] = [];
  let next = read(source);
  let late: Promise<typeof LATE> | undefined;
  try {
    for (;;) {
      const arrived: IteratorResult<Line[], void> | typeof LATE = late ? await Promise.race([next, late]) : await next;
      const ended = arrived !== LATE && arrived.done === true;
      if (arrived !== LATE && !arrived.done) {
        held.push(...arrived.value);
        next = read(source);
      }
      for (const batch of takeBatches(held, ended || arrived === LATE)) {
        yield batch;
        late = undefined;
      }
      if (ended) return;
      late ??= held.length > 0 ? delay(WAIT_MS, LATE) : undefined;
    }
  } finally {
    // Not awaited: it waits for the bytes that a read still under way is waiting for.
    void source.return();
  }
}

/** Takes the full batches off the front; `all`: the rest too. */
function* takeBatches(held: Line[], all: boolean): Generator<Line[]> {
  while (held.length > 0) {
    const size = fitting(held);
    if (!all && size === held.length && size < BATCH_SIZE) return;
    yield held.splice(0, size);
  }
}

/** Asks for more; that it fails is learnt where it is awaited, and of no interest once nobody waits. */
function read(source: AsyncGenerator<Line[], void>): Promise<IteratorResult<Line[], void>> {
  const next = source.next();
  next.catch(() => undefined);
  return next;
}

/** How many of the first lines make one batch. */
function fitting(lines: readonly Line[]): number {
  let characters = 0;
  for (const [at, line] of lines.entries()) {
    characters += 'text' in line ? line.text.length : 0;
    if (at === BATCH_SIZE || (at > 0 && characters > BATCH_CHARACTERS)) return at;
  }
  return lines.length;
}
