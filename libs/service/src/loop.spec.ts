import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLogger } from './logger.js';
import { Loop } from './loop.js';
import { logLines } from './testing/log-lines.js';

const INTERVAL = 10_000;
const logger = createLogger('test', 'info');

let loops: Loop[];
let lines: Record<string, unknown>[];

beforeEach(() => {
  vi.useFakeTimers();
  loops = [];
  lines = logLines(logger);
});
afterEach(async () => {
  await Promise.all(loops.map((loop) => loop.stop()));
  vi.useRealTimers();
});

const start = async (step: () => Promise<boolean>) => {
  const loop = new Loop('test', INTERVAL, step, logger);
  loops.push(loop);
  loop.start();
  await vi.advanceTimersByTimeAsync(0);
  return loop;
};

describe('a loop', () => {
  it('given nothing more to do, then the step runs at the start and after each interval', async () => {
    const step = vi.fn(async () => false);
    await start(step);
    expect(step).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(INTERVAL - 1);
    expect(step).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(step).toHaveBeenCalledTimes(2);
  });

  it('given that there is more, then it goes on at once until there is not', async () => {
    let left = 5;
    const step = vi.fn(async () => --left > 0);
    await start(step);
    expect(step).toHaveBeenCalledTimes(5);
    expect(vi.getTimerCount()).toBe(1);
  });

  it('given a wake-up while it sleeps, then the step runs now', async () => {
    const step = vi.fn(async () => false);
    const loop = await start(step);
    loop.wake();
    await vi.advanceTimersByTimeAsync(0);
    expect(step).toHaveBeenCalledTimes(2);
    expect(vi.getTimerCount()).toBe(1);
  });

  it('given wake-ups during a step, then it runs once more and then sleeps', async () => {
    const gate = Promise.withResolvers<boolean>();
    const step = vi.fn(async () => false).mockImplementationOnce(() => gate.promise);
    const loop = await start(step);
    loop.wake();
    loop.wake();
    gate.resolve(false);
    await vi.advanceTimersByTimeAsync(0);
    expect(step).toHaveBeenCalledTimes(2);
  });

  it('given a step that throws, then each failure is told and the next try waits longer, until one succeeds', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.999_999);
    let failures = 3;
    const step = vi.fn(async () => {
      if (failures-- > 0) throw new Error('no');
      return false;
    });
    await start(step);
    for (const [wait, calls] of [
      [200, 2],
      [400, 3],
      [800, 4],
      [INTERVAL, 5],
    ] as const) {
      await vi.advanceTimersByTimeAsync(wait - 1);
      expect(step).toHaveBeenCalledTimes(calls - 1);
      await vi.advanceTimersByTimeAsync(1);
      expect(step).toHaveBeenCalledTimes(calls);
    }
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatchObject({ level: 'error', loop: 'test', err: { message: 'no' } });
  });

  it('given failures with a success between them, then the wait begins anew', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.999_999);
    const step = vi.fn(async () => false);
    step.mockRejectedValueOnce(new Error('one')).mockRejectedValueOnce(new Error('two')).mockResolvedValueOnce(true);
    step.mockRejectedValueOnce(new Error('three'));
    await start(step);
    await vi.advanceTimersByTimeAsync(200 + 400);
    expect(step).toHaveBeenCalledTimes(4);
    await vi.advanceTimersByTimeAsync(200);
    expect(step).toHaveBeenCalledTimes(5);
  });

  it('given a wake-up during a step that fails, then it does not skip the wait', async () => {
    const gate = Promise.withResolvers<boolean>();
    const step = vi.fn(async () => false).mockImplementationOnce(() => gate.promise);
    const loop = await start(step);
    loop.wake();
    gate.reject(new Error('no'));
    await vi.advanceTimersByTimeAsync(50);
    expect(step).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(200);
    expect(step).toHaveBeenCalledTimes(2);
  });

  it('given a stop while it sleeps, then it ends at once and leaves no timer', async () => {
    const loop = await start(async () => false);
    await loop.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('given a stop during a step, then it waits for the step and runs no other, though there is more', async () => {
    const gate = Promise.withResolvers<boolean>();
    const step = vi.fn(() => gate.promise);
    const loop = await start(step);
    let stopped = false;
    const stopping = loop.stop().then(() => (stopped = true));
    await vi.advanceTimersByTimeAsync(INTERVAL);
    expect(stopped).toBe(false);
    gate.resolve(true);
    await stopping;
    expect(step).toHaveBeenCalledTimes(1);
  });
});
