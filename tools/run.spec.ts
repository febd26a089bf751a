import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

describe('given a clone that is installed and built', () => {
  let root: string;
  beforeEach(() => {
    root = realpathSync(mkdtempSync(join(tmpdir(), 'muster-run-')));
    for (const folder of ['tools', 'node_modules/.bin', 'node_modules/typescript/bin'])
      mkdirSync(join(root, folder), { recursive: true });
    copyFileSync(fileURLToPath(new URL('run.mjs', import.meta.url)), join(root, 'tools', 'run.mjs'));
    for (const lockfile of ['package-lock.json', 'node_modules/.package-lock.json'])
      writeFileSync(join(root, lockfile), '{"packages":{}}');
    writeFileSync(join(root, 'node_modules/typescript/bin/tsc'), '');
    writeFileSync(join(root, 'hello.mjs'), `console.log('hello', process.argv[2]);`);
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const locked = () => join(root, 'node_modules', '.bin', 'node');
  /** A Node that gives itself out as another version. */
  const bring = (version: string) =>
    writeFileSync(
      locked(),
      `#!/bin/sh\n[ "$1" = --version ] && echo ${version} && exit\nexec '${process.execPath}' "$@"\n`,
      { mode: 0o755 },
    );
  const run = () => {
    const args = [join(root, 'tools', 'run.mjs'), 'hello.mjs', 'world'];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    return { status, stdout, stderr };
  };

  it.each(['v20.19.5', 'v21.7.3', 'v9.11.2'])('when its Node is %s, then one line says what is needed', (version) => {
    bring(version);
    const stderr = `Node ${version} (${locked()}) is too old to run Muster: it needs Node 22 or newer\n`;
    expect(run()).toEqual({ status: 1, stdout: '', stderr });
  });

  it.each(['v22.0.0', 'v24.21.0', 'v100.0.0'])('when its Node is %s, then the script runs', (version) => {
    bring(version);
    expect(run()).toEqual({ status: 0, stdout: 'hello world\n', stderr: '' });
  });

  it('when its Node is the one that runs already, or it has none, then the script runs', () => {
    expect(run()).toEqual({ status: 0, stdout: 'hello world\n', stderr: '' });
    symlinkSync(process.execPath, locked());
    expect(run()).toEqual({ status: 0, stdout: 'hello world\n', stderr: '' });
  });

  it('when what is to run is not built yet, then a line says that it builds first', () => {
    const built = readFileSync(join(root, 'hello.mjs'), 'utf8');
    rmSync(join(root, 'hello.mjs'));
    writeFileSync(
      join(root, 'node_modules/typescript/bin/tsc'),
      `require('node:fs').writeFileSync('hello.mjs', ${JSON.stringify(built)});`,
    );
    expect(run()).toEqual({ status: 0, stdout: 'hello world\n', stderr: 'Building, which takes some minutes …\n' });
    expect(run()).toEqual({ status: 0, stdout: 'hello world\n', stderr: '' });
  });

  it('when its Node is not made for this machine, then one line says so', () => {
    writeFileSync(locked(), '\x7fELF', { mode: 0o755 });
    const { status, stderr } = run();
    expect(status).toBe(1);
    expect(stderr).toMatch(/^\S+\/node cannot be started: [^\n]+\n$/);
  });
});
