import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { readdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { ServerError } from './server-error.js';

const run = promisify(execFile);

const OLDEST = { major: 2, minor: 9 };
/** Where system packages put it although they are not in every user's PATH. */
const USUAL_FOLDERS = ['/usr/local/bin', '/usr/local/sbin', '/usr/sbin', '/usr/bin', '/opt/homebrew/bin'];

const cacheFolder = () => join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'muster', 'bin');

/** The version a binary names, such as `2.9.10`; undefined when it is no nats-server. */
async function versionOf(binary: string): Promise<string | undefined> {
  try {
    return /v(\d+\.\d+\.\d+)/.exec((await run(binary, ['--version'])).stdout)?.[1];
  } catch {
    return undefined;
  }
}

const isRecent = (version: string) => {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor);
};

/**
 * Takes the binary out of Debian's package without installing it: installing would also start a system-wide server. Needs root
 * only where the package lists have never been loaded.
 */
async function fromDebian(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'muster-nats-'));
  const download = () => run('apt-get', ['download', '-o', 'APT::Sandbox::User=root', 'nats-server'], { cwd: folder });
  try {
    await download().catch(async () => {
      await run('apt-get', ['update']);
      await download();
    });
    const archive = (await readdir(folder)).find((file) => file.endsWith('.deb'));
    if (!archive) throw new ServerError('apt-get brought no package');
    await run('dpkg-deb', ['-x', archive, 'root'], { cwd: folder });
    await mkdir(cacheFolder(), { recursive: true });
    const target = join(cacheFolder(), 'nats-server');
    // Copied, then renamed: another start may look for it at this moment, and the folders may lie on different disks.
    await copyFile(join(folder, 'root/usr/sbin/nats-server'), `${target}.${process.pid}`);
    await rename(`${target}.${process.pid}`, target);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const installers: Partial<Record<NodeJS.Platform, () => Promise<unknown>>> = {
  linux: fromDebian,
  darwin: () => run('brew', ['install', 'nats-server']),
};

async function search(folders: readonly string[]): Promise<{ found?: string; old?: string }> {
  let old: string | undefined;
  for (const folder of folders) {
    const binary = join(folder, 'nats-server');
    const version = await versionOf(binary);
    if (version && isRecent(version)) return { found: binary };
    if (version) old ??= `${binary} is ${version}, which is too old; `;
  }
  return { old };
}

/**
 * The path of a nats-server of at least version 2.9: from PATH and the usual folders, or else fetched with the system's package
 * manager, where that works without asking.
 * @throws ServerError, one line, that says how to install it.
 */
export async function findNats(
  folders: readonly string[] = [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), ...USUAL_FOLDERS],
): Promise<string> {
  const everywhere = [...folders, cacheFolder()];
  const { found, old = '' } = await search(everywhere);
  if (found) return found;
  const failed = await installers[process.platform]?.().then(
    () => undefined,
    (error: Error) => error,
  );
  const installed = failed ? undefined : (await search(everywhere)).found;
  if (installed) return installed;
  throw new ServerError(
    `${old}nats-server 2.9 or newer is needed: apt-get install nats-server, brew install nats-server, or put the release from https://github.com/nats-io/nats-server/releases into PATH`,
  );
}
