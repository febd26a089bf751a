import { readFile } from 'node:fs/promises';

/**
 * The text of a file; undefined when there is none.
 * @throws when there is one that cannot be read.
 */
export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return undefined;
  }
}
