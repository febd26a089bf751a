import { readdir, readFile, writeFile } from 'node:fs/promises';

/** A process that is watched. `tree`: with its children, those that ended meanwhile too. */
export interface WatchedProcess {
  name: string;
  pid: number;
  tree: boolean;
}

/** Linux counts the time of processes in hundredths of a second, whatever its own clock does. */
const TICKS_PER_SECOND = 100;

/** Whether this system tells about processes the way it is read here. */
export const hasProc = process.platform === 'linux';

interface Stat {
  parent: number;
  /** Ticks of the process itself. */
  own: number;
  /** Ticks of children that have ended. */
  ended: number;
}

/** `undefined` when the process is gone. */
async function statOf(pid: number | string): Promise<Stat | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  // The name of the program comes second, in parentheses, and may itself hold spaces.
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  return { parent: fields[1]!, own: fields[11]! + fields[12]!, ended: fields[13]! + fields[14]! };
}

/** CPU seconds, user and system, that each of the processes has used since its start. Empty where the system does not tell. */
export async function cpuSeconds(processes: readonly WatchedProcess[]): Promise<Map<string, number>> {
  const seconds = new Map<string, number>();
  if (!hasProc) return seconds;
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const stats = (await Promise.all(pids.map(statOf))).filter((stat) => stat !== undefined);
  for (const { name, pid, tree } of processes) {
    const stat = await statOf(pid);
    if (!stat) throw new Error(`${name} (pid ${pid}) has ended`);
    const children = tree ? stats.filter(({ parent }) => parent === pid).reduce((sum, { own }) => sum + own, 0) : 0;
    seconds.set(name, (stat.own + (tree ? stat.ended : 0) + children) / TICKS_PER_SECOND);
  }
  return seconds;
}

/** What was used between two readings, by process. */
export const difference = (before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>) =>
  new Map([...after].map(([name, value]) => [name, value - (before.get(name) ?? 0)]));

/** Lets the peak of each process begin anew at what it holds now. @throws when the system does not allow it. */
export async function resetPeaks(processes: readonly WatchedProcess[]): Promise<void> {
  if (!hasProc) return;
  for (const { pid } of processes) await writeFile(`/proc/${pid}/clear_refs`, '5');
}

/** The largest resident set of each process since its peak was reset, in bytes. */
export async function peakBytes(processes: readonly WatchedProcess[]): Promise<Map<string, number>> {
  const peaks = new Map<string, number>();
  if (!hasProc) return peaks;
  for (const { name, pid } of processes) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    peaks.set(name, Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024);
  }
  return peaks;
}
