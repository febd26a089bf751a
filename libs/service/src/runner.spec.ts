import { describe, expect, it, vi } from 'vitest';
import { createLogger } from './logger.js';
import { Runner, type Runnable } from './runner.js';

const logger = createLogger('test', 'fatal');
const [first, second] = [
  { project_id: 'acme', id: 'first' },
  { project_id: 'acme', id: 'second' },
] as const;

describe('things that are kept going', () => {
  it('given one for which what may have been lost cannot be repeated, then those claimed after it go on all the same', async () => {
    const askAgain = vi.fn<Runnable['askAgain']>(({ id }) =>
      id === first.id ? Promise.reject(new Error('poison')) : Promise.resolve(),
    );
    const advance = vi.fn<Runnable['advance']>(() => Promise.resolve());
    const claimDue = vi.fn<Runnable['claimDue']>().mockResolvedValueOnce([first, second]).mockResolvedValue([]);
    const makeDue = () => Promise.resolve();
    const runner = new Runner({ name: 'thing', makeDue, claimDue, askAgain, advance }, logger);
    await runner.onApplicationBootstrap();
    await vi.waitUntil(() => advance.mock.calls.length === 2);
    await runner.onApplicationShutdown();
    expect(askAgain.mock.calls).toEqual([[first], [second]]);
    expect(advance.mock.calls).toEqual([[first], [second]]);
  });
});
