import { closeSync, fsyncSync, openSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Ends the names of files that are not whole yet. */
export const UNFINISHED = '.tmp';

/** Writes a file that is wholly there, or not at all, after any crash or loss of power; on disk when it returns. */
export function writeDurably(path: string, text: string): void {
  const unfinished = `${path}${UNFINISHED}`;
  withFile(unfinished, 'w', (fd) => {
    writeFileSync(fd, text);
    fsyncSync(fd);
  });
  renameSync(unfinished, path);
  // The rename is an entry of the directory: it too must reach the disk.
  withFile(dirname(path), 'r', fsyncSync);
}

function withFile(path: string, flags: string, use: (fd: number) => void): void {
  const fd = openSync(path, flags, 0o600);
  try {
    use(fd);
  } finally {
    closeSync(fd);
  }
}
