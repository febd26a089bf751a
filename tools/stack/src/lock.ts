import { randomUUID } from 'node:crypto';
import { link, rename, rm, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { isAlive, readIfThere, startTime } from '@muster/servers';
import { StackError } from './errors.js';

/** Who holds the data folder; the start time tells a process from a later one with the same pid. */
interface Holder {
  pid: number;
  started: string;
  /** Tells each lock from every other. */
  id: string;
}

export interface Lock {
  /** The pid of the stack that ended without giving its lock back; undefined: there was none. */
  takenOverFrom: number | undefined;
  release(): Promise<void>;
}

const parse = (text: string): Holder | undefined => {
  try {
    return JSON.parse(text) as Holder;
  } catch {
    // Ended while it wrote the file.
    return undefined;
  }
};

const holds = (holder: Holder | undefined) =>
  holder !== undefined && isAlive(holder.pid) && startTime(holder.pid) === holder.started;

/** Links a file that is written already, instead of opening with O_EXCL, so that nobody ever reads a lock without its content. */
async function isLinked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  }
}

const TURN_MS = 5;

/** Who runs and holds the lock, or, once it is ours, from whom it was taken over. */
type Taken = { heldBy: Holder } | { takenOverFrom: number | undefined };

/**
 * Makes `claim`, a file that says `own`, the lock `file`. Only who holds the lock of the takeover, which is got in the same way, puts its own in the
 * place of one whose holder is gone: so nobody takes over what another start has just taken over, wherever somebody ended before.
 */
async function occupy(file: string, claim: string, own: string): Promise<Taken> {
  const takeover = `${file}.takeover`;
  while (!(await isLinked(claim, file))) {
    const text = await readIfThere(file);
    if (text === undefined) continue;
    const holder = parse(text);
    if (holds(holder)) return { heldBy: holder! };
    if ('heldBy' in (await occupy(takeover, claim, own))) {
      await delay(TURN_MS);
      continue;
    }
    try {
      if ((await readIfThere(file)) !== text) continue;
      // Not by way of nothing: who found no lock would not know that there is something to clean up.
      const copy = `${claim}.copy`;
      await writeFile(copy, own, { mode: 0o600 });
      await rename(copy, file);
      return { takenOverFrom: holder?.pid ?? 0 };
    } finally {
      await rm(takeover, { force: true });
    }
  }
  return { takenOverFrom: undefined };
}

/**
 * Makes sure that one stack alone uses a data folder. A lock whose holder is gone is taken over.
 * @throws StackError naming the pid of the stack that runs.
 */
export async function takeLock(file: string): Promise<Lock> {
  const id = randomUUID();
  const own = JSON.stringify({ pid: process.pid, started: startTime(process.pid), id } satisfies Holder);
  const claim = `${file}.${id}`;
  let taken: Taken;
  try {
    await writeFile(claim, own, { mode: 0o600 });
    taken = await occupy(file, claim, own);
  } finally {
    await rm(claim, { force: true });
  }
  if ('heldBy' in taken)
    throw new StackError(`a stack already runs on this data folder (pid ${taken.heldBy.pid}, ${file})`);
  return {
    takenOverFrom: taken.takenOverFrom,
    release: async () => {
      if ((await readIfThere(file)) === own) await rm(file, { force: true });
    },
  };
}

/**
 * Holds the lock of a data folder while `use` runs, and gives it back however that ends.
 * @param use is told the pid of the stack that ended without giving the lock back; undefined: there was none.
 * @throws StackError naming the pid of the stack that runs; what `use` throws.
 */
export async function whileLocked<T>(file: string, use: (takenOverFrom: number | undefined) => Promise<T>): Promise<T> {
  const lock = await takeLock(file);
  try {
    return await use(lock.takenOverFrom);
  } finally {
    await lock.release();
  }
}
