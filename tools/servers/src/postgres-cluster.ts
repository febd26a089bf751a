import { chown, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { launch } from './launch.js';
import type { Account } from './postgres-account.js';
import type { PostgresBinaries } from './postgres-binaries.js';
import { commandLine, stopProcess } from './processes.js';
import { readIfThere } from './read-if-there.js';
import { ServerError } from './server-error.js';

const STALE_STOP_MS = 10_000;

/** The name of the superuser of every cluster made here. */
export const SUPERUSER = 'postgres';

/**
 * Makes the data directory of a cluster when there is none yet. It is made beside its place and then renamed, so that one that was
 * interrupted is never taken for a whole one.
 * @throws ServerError when it is of another major version, or `initdb` fails.
 */
export async function ensureCluster(
  dataDir: string,
  binaries: PostgresBinaries,
  account: Account,
  options: { password: string; ephemeral: boolean },
): Promise<void> {
  const version = (await readIfThere(join(dataDir, 'PG_VERSION')))?.trim();
  if (version === '18') return;
  if (version)
    throw new ServerError(`${dataDir} is of Postgres ${version}, this is Postgres 18: use another data folder`);

  const fresh = `${dataDir}.new`;
  const passwordFile = `${fresh}.password`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(dirname(dataDir), { recursive: true });
  await mkdir(fresh, { mode: 0o700 });
  await rm(passwordFile, { force: true });
  await writeFile(passwordFile, `${options.password}\n`, { mode: 0o600, flag: 'wx' });
  try {
    if (account.owner) {
      await chown(fresh, account.owner.uid, account.owner.gid);
      await chown(passwordFile, account.owner.uid, account.owner.gid);
    }
    const { command, args, ...identity } = account.spawning(binaries.initdb, [
      `--pgdata=${fresh}`,
      `--username=${SUPERUSER}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--locale=C',
      '--no-instructions',
      ...(options.ephemeral ? ['--no-sync'] : []),
    ]);
    const initdb = await launch(command, args, identity);
    const ending = await initdb.exited;
    if (ending !== 'exit code 0') {
      const why = initdb.tail().find((line) => line.includes('error:')) ?? initdb.tail().at(-1) ?? ending;
      throw new ServerError(`initdb failed in ${fresh}: ${why}`);
    }
  } finally {
    await rm(passwordFile, { force: true });
  }
  // An empty folder may have been made for us beforehand; rename replaces only an empty one.
  await rename(fresh, dataDir);
}

/**
 * Ends a postmaster that an earlier run left behind on this data directory. A pid file whose pid now belongs to another program is
 * removed, since Postgres would take that program for a postmaster; one whose pid is free is left to Postgres, which also
 * looks whether a backend still holds its shared memory.
 */
export async function stopStalePostgres(dataDir: string): Promise<void> {
  const pidFile = join(dataDir, 'postmaster.pid');
  const pid = Number((await readIfThere(pidFile))?.split('\n')[0]);
  if (!pid) return;
  const running = commandLine(pid);
  if (running.includes('postgres') && running.includes(`-D ${dataDir}`))
    await stopProcess(pid, 'SIGINT', STALE_STOP_MS);
  else if (running) await rm(pidFile, { force: true });
}
