import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
/** The heal may have to wait for what asks again after a minute, and once more after two. */
const PATIENCE_MS = 420_000;

/** Runs what `npm run chaos` runs; gives its exit code and what it said. */
async function chaos(...args: string[]): Promise<{ code: number; output: string }> {
  const child = spawn(process.execPath, [join(ROOT, 'tools/run.mjs'), 'test/chaos/chaos.ts', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, 'exit')) as [number];
  return { code, output };
}

describe('npm run chaos', () => {
  it(
    'given half a minute of faults of every kind, then all seven promises hold',
    async () => {
      const { code, output } = await chaos('--seed', '1', '--minutes', '0.45', '--devices', '500');
      expect(output.match(/^promise \d holds/gm), output).toHaveLength(7);
      expect(code, output).toBe(0);
    },
    PATIENCE_MS,
  );

  it.each([
    [['--minutes', '0'], '--minutes must be a number from 0.1 to 1440, not "0"\n'],
    [['--seed', 'x'], '--seed must be a whole number from 0 to 2147483647, not "x"\n'],
  ])('given %j, then one line names what is wrong', async (args, line) => {
    expect(await chaos(...args)).toEqual({ code: 2, output: line });
  });
});
