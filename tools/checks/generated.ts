import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { generateDocs, GENERATED } from '../generators/docs/docs.ts';
import { ROOT } from './command.ts';
import type { Step } from './step.ts';

/** The files of `folder` that are not as generated. `generated`: file name to content. */
export async function staleFiles(generated: ReadonlyMap<string, string>, folder: string): Promise<string[]> {
  const present = await readdir(folder).catch(() => []);
  const problems = present
    .filter((name) => !generated.has(name))
    .map((name) => `${name}: nothing generates it any more`);
  for (const [name, content] of generated) {
    const committed = await readFile(join(folder, name), 'utf8').catch(() => undefined);
    if (committed === undefined) problems.push(`${name}: is missing`);
    else if (committed !== content) problems.push(`${name}: is stale`);
  }
  return problems;
}

export const generated: Step = {
  name: 'generated',
  run: async () => {
    const problems = await staleFiles(await generateDocs(), join(ROOT, GENERATED));
    return problems.map((problem) => `${GENERATED}/${problem}; run: npm run generate -- docs`);
  },
};
