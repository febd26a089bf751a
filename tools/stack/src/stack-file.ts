import { readFile, rm } from 'node:fs/promises';
import { commandLine, stopProcess } from '@muster/servers';
import { writePrivate } from './private-file.js';

/** `stack.json`: what runs now, for scripts and tests. It holds the admin token, so its owner alone may read it. */
export interface StackDocument {
  gateway: { url: string };
  /**
   * `creds`: path of a credentials file that may read the events; `fleetCreds`: of one that may speak for all devices of the project; `ca`: of
   * the certificates that vouch for the bus. Null where it needs none, or the bus is not our own.
   */
  nats: {
    url: string;
    mqttUrl: string | null;
    creds: string | null;
    fleetCreds: string | null;
    ca: string | null;
  };
  /** The superuser's URL. */
  postgres: { url: string };
  token: string;
  project: string;
  processes: { name: string; pid: number; url?: string | undefined }[];
}

/** Keeps the file true; the last state asked for is the one that ends up in it. */
export class StackFile {
  private writing: Promise<void> = Promise.resolve();
  private wanted: StackDocument | undefined;

  constructor(private readonly path: string) {}

  /**
   * Writes the document; several asked for during one write become one.
   * @throws the error of the file system; the next write starts afresh.
   */
  write(document: StackDocument): Promise<void> {
    const idle = this.wanted === undefined;
    this.wanted = document;
    if (idle) {
      // A write that failed is told to those who asked for it, and does not keep the next from being tried.
      this.writing = this.settled().then(async () => {
        const latest = this.wanted!;
        this.wanted = undefined;
        await writePrivate(this.path, latest);
      });
    }
    return this.writing;
  }

  async remove(): Promise<void> {
    await this.settled();
    await rm(this.path, { force: true });
  }

  private settled(): Promise<void> {
    return this.writing.catch(() => undefined);
  }

  /**
   * Ends what a killed stack left running, as its file names it. Programs of ours end by themselves when their stack does, but it
   * may take them seconds, and they hold their ports until then. A pid that meanwhile belongs to another program is left alone.
   * @param programs folder that the scripts of our programs lie in.
   */
  async endLeftovers(programs: string, graceMs: number): Promise<void> {
    const text = await readFile(this.path, 'utf8').catch(() => undefined);
    if (text === undefined) return;
    const ours = pidsIn(text).filter((pid) => commandLine(pid).includes(programs));
    await Promise.all(ours.map((pid) => stopProcess(pid, 'SIGTERM', graceMs)));
    await this.remove();
  }
}

/** The pids that a file names; none when it is damaged, and then our programs still end by themselves. */
function pidsIn(text: string): number[] {
  try {
    const { processes } = JSON.parse(text) as { processes: { pid: unknown }[] };
    return processes.map(({ pid }) => pid).filter((pid): pid is number => Number.isInteger(pid) && (pid as number) > 0);
  } catch {
    return [];
  }
}
