import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAlive, stopStaleNats, stopStalePostgres } from '@muster/servers';

/** Data folder of a server inside a scratch folder. */
export const postgresFolder = (scratch: string) => join(scratch, 'postgres');
export const natsFolder = (scratch: string) => join(scratch, 'nats');

/** A new folder for the servers of one process; its name tells whose it is. */
export async function makeScratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `muster-test-${process.pid}-`));
  // Postgres does not run as root, and another user has to get in.
  await chmod(folder, 0o755);
  return folder;
}

export const removeScratch = (folder: string) => rm(folder, { recursive: true, force: true });

/** Ends the servers and removes the folders of test runs that were killed. */
export async function sweepScratch(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = Number(/^muster-test-(\d+)-/.exec(name)?.[1] ?? NaN);
    if (Number.isNaN(pid) || isAlive(pid)) continue;
    const folder = join(tmpdir(), name);
    await stopStalePostgres(postgresFolder(folder));
    await stopStaleNats(natsFolder(folder));
    await removeScratch(folder);
  }
}
