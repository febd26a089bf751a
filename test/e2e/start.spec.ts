import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'muster-start-'));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

/** Runs what `npm start -- --once …` runs; gives its exit code and the last line of its stdout. */
async function start(...args: string[]): Promise<{ code: number; result: Record<string, unknown> }> {
  const child = spawn(process.execPath, [join(ROOT, 'tools/run.mjs'), 'tools/stack/dist/main.js', '--once', ...args], {
    env: { ...process.env, MUSTER_DATA_DIR: dataDir, MUSTER_PORT: '0' },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, 'exit')) as [number];
  return { code, result: JSON.parse(output.trim().split('\n').at(-1)!) as Record<string, unknown> };
}

describe('npm start -- --once', () => {
  it('given the real sites, then all 321 nodes are deployed to, it exits with 0, and nothing is left running', async () => {
    const { code, result } = await start();
    expect(result).toMatchObject({
      status: 'Successful',
      task_total_count: 321,
      task_success_count: 321,
      task_failed_count: 0,
    });
    expect(Object.keys(result)).toEqual([
      'job_id',
      'status',
      'task_total_count',
      'task_success_count',
      'task_failed_count',
      'seconds',
      'devices_per_second',
    ]);
    expect(code).toBe(0);
    await expect(stat(join(dataDir, 'stack.json'))).rejects.toThrow('ENOENT');
  });

  it('given nodes that fail, then it says so and does not exit with 0', async () => {
    const { code, result } = await start('--nodes', '30', '--failure-rate', '1');
    expect(result['status']).toBe('Partially_successful');
    expect(code).not.toBe(0);
  });
});
