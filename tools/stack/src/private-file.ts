import { rename, rm, writeFile } from 'node:fs/promises';

/** Replaces a file as a whole, readable by its owner alone; whoever reads it sees the old or the new content, never a part. */
export async function writePrivateText(file: string, text: string): Promise<void> {
  const fresh = `${file}.${process.pid}.new`;
  await rm(fresh, { force: true });
  await writeFile(fresh, text, { mode: 0o600, flag: 'wx' });
  await rename(fresh, file);
}

/** {@link writePrivateText} of a value as JSON. */
export const writePrivate = (file: string, value: unknown): Promise<void> =>
  writePrivateText(file, `${JSON.stringify(value, null, 2)}\n`);
