import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { boundaryProblems } from './boundaries.ts';
import { ROOT } from './command.ts';
import { fileProblems } from './files.ts';
import { staleFiles } from './generated.ts';
import { packageProblems } from './packages.ts';
import { formatProblems } from './sources.ts';
import { runSteps, type Step } from './step.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'muster-gates-'));
});

afterEach(() => rm(folder, { recursive: true }));

describe('format', () => {
  it('given a formatted and an unformatted file, then it names the unformatted one alone', async () => {
    await copyFile(join(ROOT, '.prettierrc.json'), join(folder, '.prettierrc.json'));
    await writeFile(join(folder, 'good.ts'), `export const good = 'yes';\n`);
    expect(await formatProblems(folder)).toEqual([]);

    await writeFile(join(folder, 'bad.ts'), `export const bad = "no"\n`);

    const [problem] = await formatProblems(folder);
    expect(problem).toContain('bad.ts');
    expect(problem).not.toContain('good.ts');
  });
});

describe('boundaries', () => {
  // The first use loads the project graph and every plugin.
  const timeout = 60_000;

  it(
    "given the repository's configuration, then every planted import and every foreign table is refused",
    { timeout },
    async () => {
      expect(await boundaryProblems()).toEqual([]);
    },
  );

  it('given lint without the boundary rule, then each planted import is missed by name', { timeout }, async () => {
    expect(await boundaryProblems({ rules: { '@nx/enforce-module-boundaries': 'off' } })).toEqual([
      'lint lets an app that imports an app pass: @nx/enforce-module-boundaries is silent',
      'lint lets an app that reaches into the folder of another pass: @nx/enforce-module-boundaries is silent',
      'lint lets an app that imports what is for tests pass: @nx/enforce-module-boundaries is silent',
      'lint lets contracts that import infrastructure pass: @nx/enforce-module-boundaries is silent',
      'lint lets contracts that import a bus client pass: @nx/enforce-module-boundaries is silent',
    ]);
  });
});

describe('generated', () => {
  it('given a file as generated, a changed, a missing and a left-over one, then it names the last three', async () => {
    const generated = new Map([
      ['fresh.md', 'same\n'],
      ['changed.md', 'new\n'],
      ['missing.md', 'text\n'],
    ]);
    await writeFile(join(folder, 'fresh.md'), 'same\n');
    await writeFile(join(folder, 'changed.md'), 'old\n');
    await writeFile(join(folder, 'left-over.md'), 'text\n');

    expect(await staleFiles(generated, folder)).toEqual([
      'left-over.md: nothing generates it any more',
      'changed.md: is stale',
      'missing.md: is missing',
    ]);
  });
});

describe('files', () => {
  // Put together here, or this file would be refused itself.
  const machinePath = ['', 'home', 'someone', 'muster'].join('/');
  const leftOut = ['it', 'only'].join('.');

  it.each([
    ['a path of one machine', 'docs/tour.md', `cd ${machinePath}`],
    ['a test that is left out, or leaves the others out', 'libs/x/src/x.spec.ts', `${leftOut}('given', () => {});`],
    ['a private key', 'deploy/tls.conf', ['-----BEGIN', 'PRIVATE KEY-----'].join(' ')],
    ['a download address', 'package-lock.json', '"resolved": "https://example.com/x.tgz",'],
  ])('given %s, then its file and line are named', (what, path, line) => {
    expect(fileProblems({ path, text: `first\n${line}\n` })).toEqual([`${path}:2: ${what}`]);
  });

  it('given URLs and relative paths, then they are no paths of a machine', () => {
    const text = 'https://example.com/home/page\n./home/page\nGET /v2/demo/work/items\n';
    expect(fileProblems({ path: 'README.md', text })).toEqual([]);
  });

  it('given source of 400 and of 401 lines, then the longer one is refused', () => {
    const source = (lines: number) => ({ path: 'apps/x/src/x.ts', text: 'x;\n'.repeat(lines) });
    expect(fileProblems(source(400))).toEqual([]);
    expect(fileProblems(source(401))).toEqual([expect.stringContaining('401 lines, more than 400')]);
  });
});

describe('packages', () => {
  it('given a range and two versions of one dependency, then both are named', () => {
    const manifests = new Map([
      ['apps/a/package.json', { dependencies: { '@muster/contracts': '*', pg: '8.1.0', nats: '^2.0.0' } }],
      ['apps/b/package.json', { devDependencies: { pg: '8.2.0' } }],
    ]);
    expect(packageProblems(manifests)).toEqual([
      'apps/a/package.json: nats is ^2.0.0, not an exact version',
      'pg has several versions: 8.1.0 in apps/a/package.json, 8.2.0 in apps/b/package.json',
    ]);
  });
});

describe('runSteps', () => {
  const passes: Step = { name: 'passes', run: () => Promise.resolve([]) };
  const breaks: Step = { name: 'breaks', run: () => Promise.reject(new Error('no disk')) };
  const never = new AbortController().signal;

  it('given a step that breaks, then it counts as failed and those after it still run', async () => {
    const told: string[] = [];
    const verdicts = await runSteps([breaks, passes, passes], ({ name }) => told.push(name), never);

    expect(told.toSorted()).toEqual(['breaks', 'passes', 'passes']);
    expect(verdicts.find(({ name }) => name === 'breaks')?.problems).toEqual([expect.stringContaining('no disk')]);
  });

  it('given an abort, then no further step starts', async () => {
    expect(await runSteps([passes], () => undefined, AbortSignal.abort())).toEqual([]);
  });
});
