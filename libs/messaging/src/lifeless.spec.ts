import { ConsumerDebugEvents, ConsumerEvents, type ConsumerStatus } from 'nats';
import { describe, expect, it } from 'vitest';
import { untilLifeless } from './lifeless.js';

const next: ConsumerStatus = { type: ConsumerDebugEvents.Next, data: null };
const missed = (count: number): ConsumerStatus => ({ type: ConsumerEvents.HeartbeatsMissed, data: count });

/** Whether a consumer of which the client tells this, and then that it is read no longer, is lifeless. */
function judge(...said: ConsumerStatus[]): Promise<boolean> {
  return untilLifeless(
    (async function* () {
      yield* said;
    })(),
  );
}

describe('a consumer whose signs of life are missed', () => {
  it('given that each request for messages goes unanswered, then it is lifeless after the third', async () => {
    expect(await judge(next, missed(2), next, missed(3), next, missed(4), next, missed(5))).toBe(true);
    expect(await judge(next, missed(2), next, missed(3), next, missed(4), next)).toBe(false);
  });

  it('given that nothing is asked for meanwhile, since its reader is busy or the server does not answer, then it is not', async () => {
    expect(await judge(next, ...[2, 3, 4, 5, 6, 7, 8, 9].map(missed))).toBe(false);
    expect(await judge(next, missed(2), next, missed(3), missed(4), next, missed(5), missed(6), next, missed(7))).toBe(
      false,
    );
  });

  it('given that something is heard in between, then it is not', async () => {
    expect(await judge(next, missed(2), next, missed(3), next, missed(2), next, missed(3), next, missed(2))).toBe(
      false,
    );
  });

  it('given any other word, then it changes nothing', async () => {
    const debug: ConsumerStatus = { type: ConsumerDebugEvents.DebugEvent, data: '408 timeout' };
    const said = [next, missed(2), next, missed(3), next, missed(4), next, missed(5)];
    expect(await judge(...said.flatMap((one) => [one, debug]))).toBe(true);
  });
});
