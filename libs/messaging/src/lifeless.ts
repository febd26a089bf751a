import { ConsumerDebugEvents, ConsumerEvents, type ConsumerStatus } from 'nats';

/** So many requests for messages, one after another, must have had no answer of any kind for the time in which a sign of life is due. */
const UNANSWERED = 3;
/** What the client counts when it says for the first time that signs of life are missed; it counts anew after anything that it hears. */
const FIRST = 2;

/**
 * Whether a consumer that is read turns out to be lifeless before its reading ends: its server knows it, yet requests for messages bring neither
 * one nor a sign of life (seen with nats-server 2.9.10, of consumers made while others made streams and consumers). Silence alone says nothing:
 * who is busy asks for nothing, and a server that hangs or is away says nothing. A client that misses signs of life asks the server for the
 * consumer, and for messages once more only when the server has answered that.
 * @param said what the client tells of its reading, all of it and in order
 */
export async function untilLifeless(said: AsyncIterable<ConsumerStatus>): Promise<boolean> {
  let asked = false;
  let unanswered = 0;
  for await (const { type, data } of said) {
    if (type === ConsumerDebugEvents.Next) asked = true;
    if (type !== ConsumerEvents.HeartbeatsMissed) continue;
    unanswered = asked && data !== FIRST ? unanswered + 1 : 0;
    asked = false;
    if (unanswered === UNANSWERED) return true;
  }
  return false;
}
