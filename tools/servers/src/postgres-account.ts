import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { ServerError } from './server-error.js';

/** How to run a program of Postgres as someone else than root. */
export interface Account {
  /** Undefined: as ourselves. */
  owner?: { uid: number; gid: number };
  /** What to spawn for `command` with `args`. */
  spawning(
    command: string,
    args: readonly string[],
  ): { command: string; args: readonly string[]; uid?: number; gid?: number };
}

const asOurselves: Account = { spawning: (command, args) => ({ command, args }) };

const idOf = (name: string) => {
  const id = (flag: string) => Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: 'pipe' }));
  try {
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    return undefined;
  }
};

const stats = (path: string) => statSync(path, { throwIfNoEntry: false });

/** The first folder on the way to `path` that `owner` may not enter. */
function closedFolder(path: string, owner: { uid: number; gid: number }): string | undefined {
  const folders: string[] = [];
  for (let at = dirname(resolve(path)); at !== dirname(at); at = dirname(at)) folders.unshift(at);
  return folders.find((folder) => {
    const of = stats(folder);
    if (!of) return false;
    const shift = of.uid === owner.uid ? 6 : of.gid === owner.gid ? 3 : 0;
    return ((of.mode >> shift) & 1) === 0;
  });
}

const hasSetpriv = () => {
  try {
    execFileSync('setpriv', ['--ambient-caps=+dac_override', '--inh-caps=+dac_override', 'true'], { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
};

/**
 * Who runs the Postgres of `dataDir`: ourselves, unless we are root, which Postgres refuses. Then it is the owner of the folder, or
 * else the user `postgres`, or else `nobody`. In a folder below one that they may not enter, such as root's home, they get the
 * right to enter (the capability CAP_DAC_OVERRIDE) where that can be given.
 * @throws ServerError when nobody can run it.
 */
export function accountFor(dataDir: string, program: string): Account {
  const existing = stats(dataDir);
  if (process.getuid?.() !== 0) {
    if (existing && existing.uid !== process.getuid?.()) {
      throw new ServerError(
        `${dataDir} belongs to another user (uid ${existing.uid}): start as that user, or use another data folder`,
      );
    }
    return asOurselves;
  }
  const owner =
    existing && existing.uid !== 0 ? { uid: existing.uid, gid: existing.gid } : (idOf('postgres') ?? idOf('nobody'));
  if (!owner) {
    throw new ServerError(
      'Postgres refuses to run as root, and there is no user "postgres" or "nobody": start as an ordinary user',
    );
  }
  const closed = closedFolder(dataDir, owner) ?? closedFolder(program, owner);
  if (!closed) return { owner, spawning: (command, args) => ({ command, args, ...owner }) };
  if (!hasSetpriv()) {
    throw new ServerError(
      `Postgres refuses to run as root, and uid ${owner.uid} may not enter ${closed}: start as an ordinary user, or from a folder that everyone may enter`,
    );
  }
  const grant = ['--clear-groups', '--inh-caps=+dac_override', '--ambient-caps=+dac_override'];
  return {
    owner,
    spawning: (command, args) => ({
      command: 'setpriv',
      args: [`--reuid=${owner.uid}`, `--regid=${owner.gid}`, ...grant, command, ...args],
    }),
  };
}
