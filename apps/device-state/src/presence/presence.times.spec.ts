import { describe, expect, it } from 'vitest';
import { PresenceTimes } from './presence.times.js';

describe('the times of presence', () => {
  it('given nothing, then devices say that they live every 30 s and may miss three', () => {
    const times = PresenceTimes.read({});
    expect([times.heartbeatSeconds, times.silenceSeconds]).toEqual([30, 90]);
  });

  it('given a period, then it counts', () => {
    expect(PresenceTimes.read({ MUSTER_HEARTBEAT_SECONDS: '1' }).silenceSeconds).toBe(3);
  });

  it.each(['0', '-1', 'soon', '1e9', 'NaN'])('given %s, then the variable is named', (value) => {
    expect(() => PresenceTimes.read({ MUSTER_HEARTBEAT_SECONDS: value })).toThrow(/^MUSTER_HEARTBEAT_SECONDS must be/);
  });
});
