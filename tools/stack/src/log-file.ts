import { closeSync, existsSync, openSync, renameSync, writeSync } from 'node:fs';

const MAX_BYTES = 32 * 1024 * 1024;

/**
 * The log of one process. The one of the previous run is kept as `<file>.1`; a file that has reached 32 MiB takes that place during
 * a run as well. Lines are written at once, so that none waits in memory when a process writes faster than the disk.
 */
export class LogFile {
  private file: number | undefined;
  private bytes = 0;

  constructor(readonly path: string) {
    this.file = this.begin();
  }

  readonly write = (line: string): void => {
    // The last lines of a process may come when its log has been closed.
    if (this.file === undefined) return;
    const text = Buffer.from(`${line}\n`);
    if (this.bytes + text.length > MAX_BYTES) {
      closeSync(this.file);
      this.file = this.begin();
      this.bytes = 0;
    }
    this.bytes += writeSync(this.file, text);
  };

  close(): void {
    if (this.file !== undefined) closeSync(this.file);
    this.file = undefined;
  }

  private begin(): number {
    if (existsSync(this.path)) renameSync(this.path, `${this.path}.1`);
    return openSync(this.path, 'w', 0o600);
  }
}
