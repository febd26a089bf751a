import { launch } from '@muster/servers';
import { StackError } from './errors.js';
import { lastWords } from './last-words.js';
import type { LogFile } from './log-file.js';
import type { Running } from './supervisor.js';

const READY_MS = 60_000;
const STOP_MS = 10_000;

export interface NodeProgram {
  /** Absolute path of the script. */
  script: string;
  args?: readonly string[];
  env: NodeJS.ProcessEnv;
  log: LogFile;
}

interface ReadyMessage {
  type: 'ready';
  url?: string;
}

const isReady = (message: unknown): message is ReadyMessage =>
  typeof message === 'object' && message !== null && (message as { type?: unknown }).type === 'ready';

/**
 * Starts a program of ours with this Node. It says over IPC that it is ready, and ends itself when the channel closes: a stack that was
 * killed leaves none behind.
 * @throws StackError with its last words when it ends before that, or is not ready within a minute.
 */
export async function startNode(program: NodeProgram, signal: AbortSignal): Promise<Running> {
  let becomeReady!: (message: ReadyMessage) => void;
  let giveUp!: (why: string) => void;
  const ready = new Promise<ReadyMessage>((resolve, reject) => {
    becomeReady = resolve;
    giveUp = (why) => reject(new StackError(why));
  });
  const onMessage = (message: unknown) => {
    if (isReady(message)) becomeReady(message);
  };
  const child = await launch(
    process.execPath,
    [program.script, ...(program.args ?? [])],
    { env: program.env },
    { onLog: program.log.write, onMessage },
  );
  const words = () => `last log line: ${lastWords(child.tail())} (${program.log.path})`;
  void child.exited.then((ending) => giveUp(`ended (${ending}): ${words()}`));
  const timer = setTimeout(() => giveUp(`not ready within ${READY_MS / 1000} s: ${words()}`), READY_MS);
  const onAbort = () => giveUp('stopped');
  signal.addEventListener('abort', onAbort);
  const stop = () => child.stop('SIGTERM', STOP_MS);
  try {
    if (signal.aborted) onAbort();
    const { url } = await ready;
    return { pid: child.pid, url, exited: child.exited, stop, lastWords: words };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}
