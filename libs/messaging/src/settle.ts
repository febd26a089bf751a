import type { JsMsg } from 'nats';
import { backOff, PASSING_TROUBLE_MS } from './back-off.js';
import type { ParkedMessage, TransportHost } from './host.js';

/** Tries of a message whose own content seems to be the trouble, before it is parked. */
const MAX_DELIVERIES = 8;

export const asParked = (message: JsMsg, reason: string): ParkedMessage => ({
  subject: message.subject,
  headers: Object.fromEntries(
    message.headers ? [...message.headers].map(([name, values]) => [name, values.join(',')]) : [],
  ),
  payload: message.data,
  reason,
  deliveries: message.info.redeliveryCount,
});

/** A message that failed: again later, or parked once it has failed too often. What cannot be parked now is tried again. */
export async function settleFailure(message: JsMsg, error: unknown, host: TransportHost): Promise<void> {
  const deliveries = message.info.redeliveryCount;
  const passing = host.isTransient(error);
  if (passing || deliveries < MAX_DELIVERIES) {
    message.nak(backOff(deliveries, passing ? PASSING_TROUBLE_MS : undefined));
    return;
  }
  await park(message, error instanceof Error ? error.message : String(error), host);
}

export async function park(message: JsMsg, reason: string, host: TransportHost): Promise<void> {
  try {
    await host.park(asParked(message, reason));
    message.term();
  } catch {
    message.nak(backOff(message.info.redeliveryCount));
  }
}
