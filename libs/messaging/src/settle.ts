import type { JsMsg } from 'nats';
import { backOff, PASSING_TROUBLE_MS } from './back-off.js';
import type { ParkedMessage, TransportHost } from './host.js';

/** Tries of a message whose own content seems to be the trouble, before it is parked. */
const MAX_DELIVERIES = 8;

/** The name that a message has for its consumer, however often it comes; a stream that is made anew numbers from one, so the time is part of it. */
export const nameOf = ({ info }: JsMsg): string =>
  `${info.stream} ${info.consumer} ${info.streamSequence} ${info.timestampNanos}`;

const asParked = (message: JsMsg, reason: string): ParkedMessage => ({
  name: nameOf(message),
  subject: message.subject,
  headers: Object.fromEntries(
    message.headers ? [...message.headers].map(([name, values]) => [name, values.join(',')]) : [],
  ),
  payload: message.data,
  reason,
  deliveries: message.info.redeliveryCount,
});

/** A message that failed: again later, or parked once it has failed too often. */
export async function settleFailure(message: JsMsg, error: unknown, host: TransportHost): Promise<void> {
  const deliveries = message.info.redeliveryCount;
  const passing = host.isTransient(error);
  if (passing || deliveries < MAX_DELIVERIES) {
    message.nak(backOff(deliveries, passing ? PASSING_TROUBLE_MS : undefined));
    return;
  }
  await park(message, error instanceof Error ? error.message : String(error), host);
}

/** What cannot be parked now comes again until it can: that is the trouble of whoever keeps it, not of the message. */
export async function park(message: JsMsg, reason: string, host: TransportHost): Promise<void> {
  try {
    await host.park(asParked(message, reason));
    message.term();
  } catch {
    message.nak(backOff(message.info.redeliveryCount, PASSING_TROUBLE_MS));
  }
}
