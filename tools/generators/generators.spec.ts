import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addEvent } from './event/event.ts';
import { nameOf } from './names.ts';
import { addService } from './service/service.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const AT = new Date(1_900_000_000_000);
const NEEDED = [
  'tsconfig.json',
  '.prettierrc.json',
  'libs/contracts/src',
  'apps/command-dispatcher/package.json',
  'apps/command-dispatcher/tsconfig.json',
];

describe('the generators', () => {
  let root: string;
  const read = (path: string) => readFile(join(root, path), 'utf8');

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'muster-generators-'));
    for (const path of NEEDED) await cp(join(ROOT, path), join(root, path), { recursive: true });
  });

  afterEach(() => rm(root, { recursive: true }));

  it('given a new service, then it is a tagged package that the build and the contracts know', async () => {
    await addService(root, 'report-maker');

    const manifest = JSON.parse(await read('apps/report-maker/package.json')) as { name: string; nx: unknown };
    expect(manifest.name).toBe('@muster/report-maker');
    expect(manifest.nx).toEqual({ tags: ['scope:report-maker', 'type:app'] });
    expect(await read('tsconfig.json')).toContain('"apps/report-maker"');
    expect(await read('libs/contracts/src/services.ts')).toMatch(/SERVICES = \[[^\]]*'report-maker',?\s*\] as const/);
    expect(await read('apps/report-maker/src/main.ts')).toContain(`service: 'report-maker', module: ReportMakerModule`);
  });

  it('given two new events of a service, then contract, catalogue and schema have both', async () => {
    await addService(root, 'report-maker');
    await addEvent(root, 'report', 'report-maker', AT);
    await addEvent(root, 'report-page', 'report-maker', AT);

    expect(await read('libs/contracts/src/report-maker.ts')).toMatch(/reportEntity = .*\n\n.*reportPageEntity = /);
    expect(await read('libs/contracts/src/index.ts')).toMatch(/report-maker\.js';\n$/);
    const catalogue = await read('libs/contracts/src/catalogue.ts');
    expect(catalogue).toContain(`import { reportPageEntity, reportEntity } from './report-maker.js';`);
    expect(catalogue).toMatch(/entities[^=]*= \[[^\]]*reportEntity,\s*reportPageEntity,?\s*\];/);
    const schema = await read('apps/report-maker/src/schema.ts');
    expect(schema).toContain('entities: Function[] = [ReportEntity, ReportPageEntity];');
    expect(schema).toContain('migrations: Function[] = [Reports1900000000000, ReportPages1900000000000];');
  });

  it('given an entity that exists, then it is refused and nothing is written', async () => {
    await addService(root, 'report-maker');
    await addEvent(root, 'report', 'report-maker', AT);
    const before = await read('libs/contracts/src/catalogue.ts');

    await expect(addEvent(root, 'report', 'report-maker', AT)).rejects.toThrow('report.lifecycle.ts exists already');

    expect(await read('libs/contracts/src/catalogue.ts')).toBe(before);
  });

  it('given a service that does not exist, then its event is refused', async () => {
    await expect(addEvent(root, 'report', 'nobody', AT)).rejects.toThrow('there is no service nobody');
  });

  it.each(['Report', 'report--page', '-report', '../report', 'report_page', ''])(
    'given %j as a name, then it is refused',
    (text) => {
      expect(() => nameOf(text)).toThrow('is no name');
    },
  );

  it('given a name of two words, then each spelling has both', () => {
    expect(nameOf('route-set')).toEqual({
      kebab: 'route-set',
      pascal: 'RouteSet',
      camel: 'routeSet',
      snake: 'route_set',
    });
  });
});
