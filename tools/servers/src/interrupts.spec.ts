import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { onInterrupt } from './interrupts.js';

describe('onInterrupt', () => {
  const first = vi.fn();
  const second = vi.fn();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const before = new Map(signals.map((signal) => [signal, process.listeners(signal)]));

  beforeEach(() => {
    vi.useFakeTimers();
    first.mockClear();
    second.mockClear();
    onInterrupt(first, second);
  });
  afterEach(() => {
    vi.useRealTimers();
    for (const signal of signals) {
      for (const listener of process.listeners(signal)) {
        if (!before.get(signal)!.includes(listener)) process.off(signal, listener);
      }
    }
  });

  it('given one Ctrl-C that arrives from terminal, npm and launcher, then it counts once', () => {
    for (let times = 0; times < 3; times++) process.emit('SIGINT');

    expect(first).toHaveBeenCalledOnce();
    expect(second).not.toHaveBeenCalled();
  });

  it('given a Ctrl-C after another, then the user insists', () => {
    process.emit('SIGINT');
    vi.advanceTimersByTime(1_500);
    process.emit('SIGINT');

    expect(first).toHaveBeenCalledOnce();
    expect(second).toHaveBeenCalledOnce();
  });
});
