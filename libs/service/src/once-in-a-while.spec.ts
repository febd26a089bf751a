import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { onceInAWhile } from './once-in-a-while.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('a failure that goes on', () => {
  it('given the same one again and again, then it is told at once, and after a minute with how often it was kept back', () => {
    const told = vi.fn();
    const fail = onceInAWhile(told);
    for (let index = 0; index < 10; index++) fail(new Error('stream full'));
    expect(told.mock.calls).toEqual([[new Error('stream full'), 0]]);
    vi.advanceTimersByTime(60_000);
    fail(new Error('stream full'));
    expect(told.mock.calls[1]).toEqual([new Error('stream full'), 9]);
  });

  it('given another one in between, then each is told', () => {
    const told = vi.fn();
    const fail = onceInAWhile(told);
    for (const message of ['full', 'away', 'full']) fail(new Error(message));
    fail('a word');
    expect(told.mock.calls.map(([, keptBack]) => keptBack as number)).toEqual([0, 0, 0, 0]);
  });
});
