import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { isAlive, startTime } from '@muster/servers';
import { StackError } from './errors.js';

/** Who holds the data folder; the start time tells a process from a later one with the same pid. */
interface Holder {
  pid: number;
  started: string;
}

export interface Lock {
  /** The pid of the stack that ended without giving its lock back; undefined: there was none. */
  takenOverFrom: number | undefined;
  release(): Promise<void>;
}

const readText = (file: string) => readFile(file, 'utf8').catch(() => undefined);

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

/**
 * Makes sure that one stack alone uses a data folder. A lock whose holder is gone is taken over.
 * @throws StackError naming the pid of the stack that runs.
 */
export async function takeLock(file: string): Promise<Lock> {
  const own = JSON.stringify({ pid: process.pid, started: startTime(process.pid) } satisfies Holder);
  const aside = `${file}.${randomUUID()}`;
  let takenOverFrom: number | undefined;
  try {
    for (;;) {
      await writeFile(aside, own, { mode: 0o600 });
      // Linking a written file, instead of opening with O_EXCL, so that nobody ever reads a lock without its content.
      const taken = await link(aside, file).then(
        () => true,
        (error: NodeJS.ErrnoException) => {
          if (error.code !== 'EEXIST') throw error;
          return false;
        },
      );
      if (taken) break;
      const text = await readText(file);
      if (text === undefined) continue;
      const holder = parse(text);
      if (holds(holder)) throw new StackError(`a stack already runs on this data folder (pid ${holder!.pid}, ${file})`);
      await rename(file, aside);
      // Between reading and moving it, another start may have taken over the same lock: then it is theirs that was moved.
      const moved = await readText(aside);
      if (moved !== text) await link(aside, file).catch(() => undefined);
      else takenOverFrom = holder?.pid ?? 0;
      await rm(aside, { force: true });
    }
  } finally {
    await rm(aside, { force: true });
  }
  return {
    takenOverFrom,
    release: async () => {
      if ((await readText(file)) === own) await rm(file, { force: true });
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
