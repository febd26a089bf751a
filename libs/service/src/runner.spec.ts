import { describe, expect, it, vi } from 'vitest';
import { createLogger } from './logger.js';
import { Runner, type Runnable } from './runner.js';

const logger = createLogger('test', 'fatal');
const [first, second] = [
  { project_id: 'acme', id: 'first' },
  { project_id: 'acme', id: 'second' },
] as const;

describe('things that are kept going', () => {
  it('given one that has to wait for an answer, and one whose questions fail, then all that were claimed go on at once all the same', async () => {
    const { promise: answer, resolve: give } = Promise.withResolvers<void>();
    const askAgain = vi.fn<Runnable['askAgain']>(({ id }) =>
      id === first.id ? answer : Promise.reject(new Error('poison')),
    );
    const advance = vi.fn<Runnable['advance']>(() => Promise.resolve());
    const claimDue = vi.fn<Runnable['claimDue']>().mockResolvedValueOnce([first, second]).mockResolvedValue([]);
    const makeDue = () => Promise.resolve();
    const runner = new Runner({ name: 'thing', makeDue, claimDue, askAgain, advance }, logger);
    await runner.onApplicationBootstrap();
    await vi.waitUntil(() => askAgain.mock.calls.length === 2);
    give();
    await runner.onApplicationShutdown();
    expect(askAgain.mock.calls).toEqual([[first], [second]]);
    // What was asked for may let the first go on once more.
    expect(advance.mock.calls.slice(0, 2)).toEqual([[first], [second]]);
  });

  it('given one on which somebody always works, then it is claimed all the same once it is overdue', async () => {
    const advance = vi.fn<Runnable['advance']>(() => Promise.resolve());
    const claimDue = vi.fn<Runnable['claimDue']>(({ overdueBy }) =>
      Promise.resolve(overdueBy === undefined || advance.mock.calls.length > 0 ? [] : [first]),
    );
    const nothing = () => Promise.resolve();
    const runner = new Runner({ name: 'thing', makeDue: nothing, claimDue, askAgain: nothing, advance }, logger);
    await runner.onApplicationBootstrap();
    await vi.waitUntil(() => advance.mock.calls.length > 0);
    await runner.onApplicationShutdown();
    expect(advance.mock.calls[0]).toEqual([first]);
  });
});
