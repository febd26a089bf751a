import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Drops } from './drops.js';
import { createLogger } from './logger.js';
import { Metrics } from './metrics.js';
import { logLines } from './testing/log-lines.js';

let drops: Drops;
let metrics: Metrics;
let lines: Record<string, unknown>[];

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
  const logger = createLogger('test', 'info');
  lines = logLines(logger);
  metrics = new Metrics('test');
  drops = new Drops(logger, metrics);
});
afterEach(() => void vi.useRealTimers());

const counted = async (channel: string, reason: string) => {
  const { values } = await metrics.deviceDropped.get();
  return values.find(({ labels }) => labels.channel === channel && labels.reason === reason)?.value;
};

describe('drops', () => {
  it('given a flood, then each is counted, one a second is told, and the next line says how many there were', async () => {
    for (let index = 0; index < 5_000; index++) {
      drops.count('status', 'not_json', { subject: `device ${index}` });
      if (index === 2_499) vi.advanceTimersByTime(999);
    }
    expect(lines).toMatchObject([
      { level: 'warn', channel: 'status', reason: 'not_json', dropped: 1, subject: 'device 0' },
    ]);
    vi.advanceTimersByTime(1);
    drops.count('status', 'not_json', { subject: 'the last' });
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatchObject({ dropped: 5_000, subject: 'the last' });
    expect(await counted('status', 'not_json')).toBe(5_001);
  });

  it('given another channel or reason in the same second, then it is not hidden behind the first', async () => {
    drops.count('status', 'not_json', {});
    drops.count('status', 'invalid', {});
    drops.count('hello', 'invalid', {});
    expect(lines.map(({ channel, reason }) => `${String(channel)} ${String(reason)}`)).toEqual([
      'status not_json',
      'status invalid',
      'hello invalid',
    ]);
    expect(await counted('hello', 'invalid')).toBe(1);
  });
});
