import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Heartbeats } from './heartbeats.js';

describe('given the heartbeats of a fleet', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('when a minute passes, then every device has beaten about twice, and never many at once', () => {
    const beats = new Map<number, number>();
    const members = Array.from({ length: 1000 }, (_, i) => i);
    const heartbeats = new Heartbeats(members, 30_000, (i) => void beats.set(i, (beats.get(i) ?? 0) + 1));
    let largest = 0;
    for (let second = 0; second < 60; second++) {
      const before = [...beats.values()].reduce((a, b) => a + b, 0);
      vi.advanceTimersByTime(1000);
      largest = Math.max(largest, [...beats.values()].reduce((a, b) => a + b, 0) - before);
    }
    heartbeats.stop();
    expect(beats.size).toBe(1000);
    expect([...beats.values()].every((count) => count >= 1 && count <= 3)).toBe(true);
    expect(largest).toBeLessThan(50);
    vi.advanceTimersByTime(60_000);
    expect([...beats.values()].every((count) => count <= 3)).toBe(true);
  });

  it('when nobody is online, then nothing beats', () => {
    const beat = vi.fn();
    const heartbeats = new Heartbeats([], 30_000, beat);
    vi.advanceTimersByTime(60_000);
    heartbeats.stop();
    expect(beat).not.toHaveBeenCalled();
  });
});
