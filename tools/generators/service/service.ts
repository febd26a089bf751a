import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { appendTo, Change } from '../change.ts';
import { nameOf, type Name } from '../names.ts';

interface PackageJson {
  nx: { tags: string[] };
  dependencies: Record<string, string>;
}

/** A service as small as they come: the dependencies are those of the service it is modelled on. */
const MODEL = 'command-dispatcher';

const mainOf = ({ kebab, pascal }: Name) => `
import { runService } from '@muster/service';
import { ${pascal}Module } from './${kebab}.module.js';
import { entities, migrations } from './schema.js';

await runService({ service: '${kebab}', module: ${pascal}Module, entities, migrations });
`;

const moduleOf = ({ pascal }: Name) => `
import { Module } from '@nestjs/common';

@Module({ controllers: [], providers: [] })
export class ${pascal}Module {}
`;

const schema = `
/** What the service keeps, and how its schema came to be. */
export const entities: Function[] = [];
export const migrations: Function[] = [];
`;

/**
 * Adds an empty service: its package, its place in the build, and its name in the contracts, from which its schema, role and place in
 * the local stack follow.
 * @throws Error when the name is taken or no name.
 */
export async function addService(root: string, text: string): Promise<string[]> {
  const name = nameOf(text);
  const folder = `apps/${name.kebab}`;
  const model = async (file: string) => readFile(join(root, 'apps', MODEL, file), 'utf8');
  const manifest = JSON.parse(await model('package.json')) as PackageJson;
  const change = new Change(root);
  change.add(
    `${folder}/package.json`,
    JSON.stringify({
      ...manifest,
      name: `@muster/${name.kebab}`,
      nx: { tags: [`scope:${name.kebab}`, 'type:app'] },
    }),
  );
  change.add(`${folder}/tsconfig.json`, await model('tsconfig.json'));
  change.add(`${folder}/src/main.ts`, mainOf(name));
  change.add(`${folder}/src/${name.kebab}.module.ts`, moduleOf(name));
  change.add(`${folder}/src/schema.ts`, schema);
  await change.edit('libs/contracts/src/services.ts', appendTo('SERVICES', `'${name.kebab}'`));
  await change.edit('tsconfig.json', (config) => {
    const { references, ...rest } = JSON.parse(config) as { references: { path: string }[] };
    return JSON.stringify({ ...rest, references: [...references, { path: folder }] });
  });
  return change.apply();
}
