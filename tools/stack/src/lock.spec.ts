import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTime } from '@muster/servers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { takeLock, whileLocked } from './lock.js';

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'muster-lock-'));
  file = join(folder, 'stack.lock');
});
afterEach(() => rm(folder, { recursive: true }));

describe('takeLock', () => {
  it('given no lock, when it is taken and released, then nothing is left', async () => {
    const lock = await takeLock(file);

    expect(lock.takenOverFrom).toBeUndefined();
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ pid: process.pid });
    await lock.release();
    expect(await readdir(folder)).toEqual([]);
  });

  it('given a lock whose holder runs, then it is refused, naming the pid', async () => {
    await takeLock(file);

    await expect(takeLock(file)).rejects.toThrow(
      `a stack already runs on this data folder (pid ${process.pid}, ${file})`,
    );
    expect(await readdir(folder)).toEqual(['stack.lock']);
  });

  it('given a lock whose holder has ended, then it is taken over', async () => {
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'exit');
    await writeFile(file, JSON.stringify({ pid: child.pid, started: '1' }));

    expect((await takeLock(file)).takenOverFrom).toBe(child.pid);
  });

  it('given a lock whose pid is another process now, then it is taken over', async () => {
    await writeFile(file, JSON.stringify({ pid: process.pid, started: `${startTime(process.pid)}0` }));

    expect((await takeLock(file)).takenOverFrom).toBe(process.pid);
  });

  it('given a lock that was written in part, then it is taken over', async () => {
    await writeFile(file, '{"pid":');

    expect((await takeLock(file)).takenOverFrom).toBe(0);
  });

  it.each([
    ['a stale lock', 4194304, '{"pid":4194304,"started":"1"}', {}],
    ['a stale lock that names nobody', 0, '{}', {}],
    [
      'a stale lock whose takeover somebody began and did not end',
      4194304,
      '{"pid":4194304,"started":"1"}',
      { 'stack.lock.takeover': '{"pid":4194303}' },
    ],
  ])(
    'given %s, when several take it at once, then one alone gets it, and knows from whom',
    async (_, pid, text, files) => {
      for (let round = 0; round < 10; round++) {
        await writeFile(file, text);
        for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);

        const results = await Promise.allSettled(Array.from({ length: 20 }, () => takeLock(file)));

        const taken = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
        expect(taken.map(({ takenOverFrom }) => takenOverFrom)).toEqual([pid]);
        expect(await readdir(folder)).toEqual(['stack.lock']);
        await taken[0]!.release();
      }
    },
  );

  it('given a lock that cannot be read, then it fails and says so', async () => {
    await mkdir(file);

    await expect(takeLock(file)).rejects.toThrow('EISDIR');
  });
});

describe('whileLocked', () => {
  it('given what was asked for succeeds, then the lock was held meanwhile and is given back', async () => {
    const seen = await whileLocked(file, async (takenOverFrom) => ({ takenOverFrom, files: await readdir(folder) }));

    expect(seen).toEqual({ takenOverFrom: undefined, files: ['stack.lock'] });
    expect(await readdir(folder)).toEqual([]);
  });

  it('given what was asked for fails, then the lock is given back all the same', async () => {
    const failure = new Error('the stop failed');

    await expect(whileLocked(file, () => Promise.reject(failure))).rejects.toBe(failure);
    expect(await readdir(folder)).toEqual([]);
  });
});
