import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { toAsyncApi } from '@muster/contracts';
import { format, resolveConfig, type Options } from 'prettier';
import { findLifecycles, lifecyclePage } from './lifecycles.ts';
import { messagePage } from './messages.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');

/** Where the generated documents are kept, relative to the root. */
export const GENERATED = 'docs/generated';

/** What the documents say now, from the built lifecycles and contracts. File name to content. */
export async function generateDocs(): Promise<Map<string, string>> {
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const pages = {
    'lifecycles.md': lifecyclePage(await findLifecycles(join(ROOT, 'apps'))),
    'messages.md': messagePage(),
    'asyncapi.json': JSON.stringify(toAsyncApi(version)),
  };
  const style: Options = (await resolveConfig(join(ROOT, 'package.json'))) ?? {};
  const documents = new Map<string, string>();
  for (const [name, text] of Object.entries(pages)) {
    documents.set(name, await format(text, { ...style, filepath: name }));
  }
  return documents;
}

/** Writes the documents anew; what is no longer generated goes. */
export async function writeDocs(): Promise<string[]> {
  const documents = await generateDocs();
  const folder = join(ROOT, GENERATED);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const [name, text] of documents) await writeFile(join(folder, name), text);
  return [...documents.keys()].map((name) => `${GENERATED}/${name}`);
}
