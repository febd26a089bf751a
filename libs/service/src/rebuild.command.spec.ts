import { afterEach, describe, expect, it, vi } from 'vitest';
import { rebuildCommand } from './rebuild.command.js';

afterEach(() => void vi.restoreAllMocks());

describe('rebuild', () => {
  it.each([['yesterday'], ['2026-5-31'], ['2026-02-30'], ['0000-01-01'], ['2026-05-31T00:00:00Z'], ['']])(
    'given --since %s, then it is refused as a wrong question, before any server is asked',
    async (since) => {
      const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
      expect(await rebuildCommand('job-planner', ['--since', since], {})).toBe(2);
      expect(said.mock.calls.flat().join('')).toContain('--since must be a day, as in 2026-05-31');
    },
  );
});
