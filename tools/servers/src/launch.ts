import { spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { readLines } from './lines.js';
import { ServerError } from './server-error.js';
import { stopProcess } from './processes.js';

const TAIL_LINES = 50;

/** A process whose output is read line by line. */
export interface Launched {
  readonly pid: number;
  readonly exited: Promise<string>;
  /** How it ended, or undefined while it runs. */
  ending(): string | undefined;
  /** The last lines it wrote, oldest first. */
  tail(): readonly string[];
  stop(signal: NodeJS.Signals, graceMs: number): Promise<void>;
}

export interface LaunchListeners {
  /** Gets each line of stdout and stderr. */
  onLog?: ((line: string) => void) | undefined;
  /** Gets what the process sends over IPC; only with it there is an IPC channel, whose end tells the process that we are gone. */
  onMessage?: (message: unknown) => void;
}

/**
 * Starts a process in a process group of its own: Ctrl-C in a terminal goes to the whole group, and a server must not stop before
 * those that use it.
 * @throws ServerError when it cannot be started at all.
 */
export async function launch(
  command: string,
  args: readonly string[],
  options: Pick<SpawnOptions, 'uid' | 'gid' | 'env'>,
  { onLog = () => undefined, onMessage }: LaunchListeners = {},
): Promise<Launched> {
  const stdio: SpawnOptions['stdio'] = ['ignore', 'pipe', 'pipe', ...(onMessage ? (['ipc'] as const) : [])];
  const child = spawn(command, args, { ...options, detached: true, stdio });
  if (onMessage) child.on('message', onMessage);
  const lines: string[] = [];
  const keep = (line: string) => {
    lines.push(line);
    if (lines.length > TAIL_LINES) lines.shift();
    onLog(line);
  };
  let ending: string | undefined;
  const exited = new Promise<string>((resolve) => {
    child.once('close', (code, signal) => {
      ending = signal ?? `exit code ${code}`;
      resolve(ending);
    });
  });
  try {
    await once(child, 'spawn');
  } catch (error) {
    throw new ServerError(`${command} cannot be started: ${(error as Error).message}`);
  }
  readLines(child.stdout!, keep);
  readLines(child.stderr!, keep);
  const pid = child.pid!;
  return {
    pid,
    exited,
    ending: () => ending,
    tail: () => lines,
    stop: async (signal, graceMs) => {
      if (ending === undefined) await stopProcess(pid, signal, graceMs);
      await exited;
    },
  };
}
