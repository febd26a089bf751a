import { ErrorCode, Events, type Status } from 'nats';
import { describe, expect, it } from 'vitest';
import { countRefusals, reconnectDelay } from './reconnect.js';

const { Error: Refused, Reconnect } = Events;

describe('given a bus that refuses', () => {
  it('when it takes a connection at last, then the refusals before are forgotten; an error of another kind is none', async () => {
    const counts: number[] = [];
    const status = async function* (): AsyncGenerator<Status> {
      const refusal = { type: Refused, data: ErrorCode.AuthorizationViolation };
      const other = { type: Refused, data: ErrorCode.ProtocolError };
      for (const one of [refusal, other, refusal, { type: Reconnect, data: '' }, refusal])
        yield await Promise.resolve(one);
    };
    await countRefusals({ status }, (count) => counts.push(count));
    expect(counts).toEqual([1, 2, 0, 1]);
  });

  it('when it refuses again and again, then the attempts come slower, and never more than 42 s apart', () => {
    expect(reconnectDelay(0)).toBeLessThanOrEqual(350);
    expect(reconnectDelay(8)).toBeLessThanOrEqual(350);
    expect(reconnectDelay(11)).toBeGreaterThanOrEqual(2_000);
    for (const refused of [20, 100_000]) {
      expect(reconnectDelay(refused)).toBeGreaterThanOrEqual(30_000);
      expect(reconnectDelay(refused)).toBeLessThanOrEqual(42_000);
    }
  });
});
