import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAlive } from '@muster/servers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LogFile } from './log-file.js';
import { keepSecrets } from './secrets.js';
import { serveSites } from './site-server.js';
import { StackFile, type StackDocument } from './stack-file.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'muster-files-'));
});
afterEach(() => rm(folder, { recursive: true }));

const mode = async (file: string) => (await stat(file)).mode & 0o777;

describe('StackFile', () => {
  const document = (processes: StackDocument['processes']): StackDocument => ({
    gateway: { url: 'http://127.0.0.1:1' },
    nats: { url: 'nats://127.0.0.1:2', mqttUrl: null, creds: null, fleetCreds: null, ca: null },
    postgres: { url: 'postgres://127.0.0.1:3' },
    token: 'token',
    project: 'demo',
    processes,
  });

  it('given many writes at once, then the last one is in the file, and its owner alone may read it', async () => {
    const path = join(folder, 'stack.json');
    const file = new StackFile(path);

    await Promise.all(Array.from({ length: 50 }, (_, pid) => file.write(document([{ name: 'gateway', pid }]))));

    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(document([{ name: 'gateway', pid: 49 }]));
    expect(await mode(path)).toBe(0o600);
  });

  it('given a write that was refused, then the next one counts, and the file can be removed', async () => {
    const path = join(folder, 'data', 'stack.json');
    const file = new StackFile(path);
    await expect(file.write(document([{ name: 'gateway', pid: 1 }]))).rejects.toThrow('ENOENT');

    await mkdir(join(folder, 'data'));
    await file.write(document([{ name: 'gateway', pid: 2 }]));

    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(document([{ name: 'gateway', pid: 2 }]));
    await file.remove();
    await expect(stat(path)).rejects.toThrow('ENOENT');
  });

  it('given a last write that was refused, then removing the file does not fail for that', async () => {
    const file = new StackFile(join(folder, 'data', 'stack.json'));
    await expect(file.write(document([]))).rejects.toThrow('ENOENT');

    await expect(file.remove()).resolves.toBeUndefined();
  });

  it('given what a killed stack left running, then programs of ours are ended, and others are not', async () => {
    const path = join(folder, 'stack.json');
    const sleeper = async (script: string) => {
      await writeFile(script, `console.log('up'); setInterval(() => undefined, 1000);`);
      const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'ignore'] });
      await once(child.stdout, 'data');
      return child;
    };
    await mkdir(join(folder, 'apps'));
    const ours = await sleeper(join(folder, 'apps', 'service.mjs'));
    const other = await sleeper(join(folder, 'other.mjs'));
    const file = new StackFile(path);
    await file.write(
      document([
        { name: 'a', pid: ours.pid! },
        { name: 'b', pid: other.pid! },
      ]),
    );

    await file.endLeftovers(join(folder, 'apps'), 5_000);

    expect(isAlive(ours.pid!)).toBe(false);
    expect(isAlive(other.pid!)).toBe(true);
    await expect(stat(path)).rejects.toThrow('ENOENT');
    other.kill('SIGKILL');
    await once(other, 'exit');
  });
});

describe('a damaged stack file', () => {
  it.each(['', 'garb{', '{}', '[]', 'null', '{"processes":[{"pid":"x"},null]}'])(
    'given %j, when a stack starts after a crash, then it is put away',
    async (text) => {
      const path = join(folder, 'stack.json');
      await writeFile(path, text);
      await new StackFile(path).endLeftovers(join(folder, 'apps'), 1_000);
      await expect(stat(path)).rejects.toThrow('ENOENT');
    },
  );
});

describe('keepSecrets', () => {
  it('given data whose password is lost, then one line says so and the file stays as it is', async () => {
    const path = join(folder, 'secrets.json');
    const postgres = join(folder, 'postgres');
    await mkdir(postgres);
    await writeFile(join(postgres, 'PG_VERSION'), '18');
    await writeFile(path, '{}');
    await expect(keepSecrets(path, [], postgres)).rejects.toThrow(`${path} has no password for ${postgres}`);
    expect(await readFile(path, 'utf8')).toBe('{}');
  });

  it('given a first start, when it is started again with one more service, then the old ones are kept', async () => {
    const path = join(folder, 'secrets.json');

    const first = await keepSecrets(path, ['gateway']);
    const second = await keepSecrets(path, ['gateway', 'job-planner']);

    expect(second).toMatchObject(first);
    expect(new Set([first.postgres, first.token, ...Object.values(second.services)]).size).toBe(4);
    expect(await mode(path)).toBe(0o600);
  });

  it('given a file that is broken, then it is not replaced, because the database opens with nothing else', async () => {
    const path = join(folder, 'secrets.json');
    await writeFile(path, '{');

    await expect(keepSecrets(path, [])).rejects.toThrow(`${path} is not JSON`);
    expect(await readFile(path, 'utf8')).toBe('{');
  });
});

describe('LogFile', () => {
  it('given a log of the previous run, then it is kept beside the new one', async () => {
    const path = join(folder, 'a.log');
    for (const line of ['first', 'second', 'third']) {
      const log = new LogFile(path);
      log.write(line);
      log.close();
    }

    expect(await readFile(path, 'utf8')).toBe('third\n');
    expect(await readFile(`${path}.1`, 'utf8')).toBe('second\n');
  });

  it('given more output than a file may hold, then it goes on in a new one', async () => {
    const path = join(folder, 'a.log');
    const log = new LogFile(path);
    const line = 'x'.repeat(1024 * 1024 - 1);
    for (let index = 0; index < 40; index++) log.write(line);
    log.close();

    expect((await stat(path)).size).toBe(8 * 1024 * 1024);
    expect((await stat(path)).size + (await stat(`${path}.1`)).size).toBe(40 * 1024 * 1024);
  });
});

describe('serveSites', () => {
  it('given a release, then its page is served, and nothing outside of the folder', async () => {
    await mkdir(join(folder, 'sites', 'atl-1', 'releases', 'r1'), { recursive: true });
    await writeFile(join(folder, 'sites', 'atl-1', 'releases', 'r1', 'index.html'), '<h1>Atlanta</h1>');
    await symlink(join('releases', 'r1'), join(folder, 'sites', 'atl-1', 'current'));
    await writeFile(join(folder, 'secret'), 'secret');
    await symlink(join(folder, 'secret'), join(folder, 'sites', 'atl-1', 'releases', 'r1', 'leak'));
    const { url, close } = await serveSites(join(folder, 'sites'));

    try {
      const page = await fetch(`${url}/atl-1/`);
      expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(await page.text()).toBe('<h1>Atlanta</h1>');
      for (const path of ['/', '/nobody/', '/atl-1/leak', '/atl-1/..%2f..%2f..%2fsecret', '/..%2fsecret', '/%ff/']) {
        expect((await fetch(url + path)).status, path).toBe(404);
      }
    } finally {
      close();
    }
  });
});
