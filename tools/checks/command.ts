import { spawn } from 'node:child_process';
import { join } from 'node:path';

/** The root of the repository. */
export const ROOT = join(import.meta.dirname, '..', '..');

/**
 * Runs a script of an installed package with this Node.
 * @returns what it printed when it failed, as one problem; nothing when it ended with 0, or was not to start any more.
 */
export async function runScript(script: string, args: string[], signal?: AbortSignal, cwd = ROOT): Promise<string[]> {
  if (signal?.aborted) return [];
  const output: Buffer[] = [];
  const child = spawn(process.execPath, [join(ROOT, 'node_modules', script), ...args], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, FORCE_COLOR: undefined, NO_COLOR: '1' },
  });
  const stop = () => child.kill();
  signal?.addEventListener('abort', stop);
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => output.push(chunk));
  const code = await new Promise<number | string>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, ended) => resolve(status ?? ended ?? 'no exit code'));
  });
  signal?.removeEventListener('abort', stop);
  if (code === 0) return [];
  return [Buffer.concat(output).toString().trim() || `${script} ended with ${code} and said nothing`];
}
