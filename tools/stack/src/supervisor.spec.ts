import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAlive } from '@muster/servers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LogFile } from './log-file.js';
import { startNode } from './node-process.js';
import { Supervisor } from './supervisor.js';

/** Says that it is ready with the port it was given, and ends when told to, or when its parent is gone. */
const CHILD = `
process.on('SIGTERM', () => process.exit(0));
process.on('disconnect', () => process.exit(0));
console.log('{"level":"info","msg":"up"}');
process.send({ type: 'ready', url: 'http://127.0.0.1:' + process.env.PORT });
`;

describe('Supervisor', () => {
  let folder: string;
  let log: LogFile;
  let supervisor: Supervisor;
  const said: string[] = [];
  const changed = vi.fn();

  const supervise = async (source: string) => {
    const script = join(folder, 'child.mjs');
    await writeFile(script, source);
    supervisor = new Supervisor(
      'child',
      (signal) => startNode({ script, env: { ...process.env, PORT: '7' }, log }, signal),
      { changed, say: (line) => said.push(line) },
    );
    return script;
  };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'muster-supervisor-'));
    await chmod(folder, 0o755);
    log = new LogFile(join(folder, 'child.log'));
    said.length = 0;
    changed.mockClear();
  });
  afterEach(async () => {
    await supervisor.stop();
    log.close();
    await rm(folder, { recursive: true });
  });

  it('given a child that becomes ready, when it is stopped, then it is gone and its output is in the log', async () => {
    await supervise(CHILD);

    const { pid, url } = await supervisor.start();
    expect(url).toBe('http://127.0.0.1:7');
    expect(isAlive(pid)).toBe(true);
    await supervisor.stop();
    log.close();

    expect(isAlive(pid)).toBe(false);
    expect(said).toEqual([]);
    expect(await readFile(log.path, 'utf8')).toBe('{"level":"info","msg":"up"}\n');
  });

  it('given a child that is killed, then it is started again, and both is said', async () => {
    await supervise(CHILD);
    const { pid } = await supervisor.start();

    process.kill(pid, 'SIGKILL');
    await vi.waitFor(() => expect(said).toHaveLength(2), 10_000);

    const next = supervisor.current!.pid;
    expect(next).not.toBe(pid);
    expect(isAlive(next)).toBe(true);
    expect(said).toEqual([
      `child ended (SIGKILL), last log line: up (${log.path}); starting it again in 0.25 s`,
      `child is back (pid ${next})`,
    ]);
    expect(changed).toHaveBeenCalledTimes(3);
  });

  it('given a child that cannot be started again, then the delay grows until it can', async () => {
    const script = await supervise(CHILD);
    const { pid } = await supervisor.start();
    await writeFile(script, `console.error('broken'); process.exit(3);`);

    process.kill(pid, 'SIGKILL');
    await vi.waitFor(() => expect(said).toHaveLength(3), 10_000);
    await writeFile(script, CHILD);
    await vi.waitFor(() => expect(said.at(-1)).toContain('is back'), 10_000);

    expect(said[1]).toBe(
      `child does not start: ended (exit code 3): last log line: broken (${log.path}); starting it again in 0.5 s`,
    );
    expect(said[2]).toContain('starting it again in 1 s');
  });

  it('given a child that ends before it is ready, when it is started first, then that fails with its last words', async () => {
    await supervise(`console.error('no such table'); process.exit(1);`);

    await expect(supervisor.start()).rejects.toThrow(
      `child does not start: ended (exit code 1): last log line: no such table (${log.path})`,
    );
  });

  it('given a child that is still starting, when it is stopped, then it is ended', async () => {
    await supervise(`console.log(process.pid); setInterval(() => undefined, 1000);`);
    const starting = supervisor.start();
    const failure = expect(starting).rejects.toThrow('child does not start: stopped');
    await vi.waitFor(async () => expect(await readFile(log.path, 'utf8')).toMatch(/\d+/), 10_000);

    await supervisor.stop();

    await failure;
    expect(isAlive(Number(await readFile(log.path, 'utf8')))).toBe(false);
  });
});
