import type { JsMsg } from 'nats';
import type { TransportHost } from './host.js';
import { whileWorking } from './pull.consumer.js';
import { nameOf, park, settleFailure } from './settle.js';

/** Deliveries after which a message is handled with care: it may be what ended its readers. */
const TRUSTED_DELIVERIES = 3;
/** Readers that may be lost with a message before it is parked: one perhaps in bad company, the others alone with it. */
const MAX_LOST_READERS = 3;

type Settle<M> = (messages: readonly M[]) => Promise<void>;

// One at a time over all consumers of the process: whoever shares a reader with the one to blame would be blamed as well.
let turn: Promise<unknown> = Promise.resolve();

/**
 * Hands messages to `settle`, which acknowledges or gives back each of them and does not reject. A message that ends its process never
 * comes to be counted as failed, and would come again for ever. So what has come often is handled under a watch that outlives the
 * process: with whom a reader was lost is handled alone from then on, and parked when that happens again and again. A failure that
 * passes loses no reader, however often it comes.
 */
export async function carefully<M>(
  messages: readonly M[],
  sourceOf: (message: M) => JsMsg,
  host: TransportHost,
  settle: Settle<M>,
): Promise<void> {
  const watched = new Map<M, string>();
  for (const message of messages) {
    const source = sourceOf(message);
    if (source.info.redeliveryCount > TRUSTED_DELIVERIES) watched.set(message, nameOf(source));
  }
  if (watched.size === 0) return settle(messages);

  const giveBack = async (some: readonly M[], error: unknown) => {
    await Promise.all(some.map((message) => settleFailure(sourceOf(message), error, host)));
  };
  const underWatch = async (some: readonly M[]) => {
    const names = some.flatMap((message) => watched.get(message) ?? []);
    try {
      if (names.length > 0) await host.watch.begin(names);
    } catch (error) {
      return giveBack(some, error);
    }
    if (some.length > 0) await settle(some);
    // What cannot be said now, the watch says later; the messages are settled already.
    if (names.length > 0) await host.watch.end(names).catch(() => undefined);
  };
  const alone = async (message: M, lost: number) => {
    if (lost < MAX_LOST_READERS) return underWatch([message]);
    await park(sourceOf(message), `${lost} readers ended while they handled it`, host);
    await host.watch.end([watched.get(message)!]).catch(() => undefined);
  };

  let lost: Map<string, number>;
  try {
    lost = await host.watch.lostReaders([...watched.values()]);
  } catch (error) {
    return giveBack(messages, error);
  }
  const lostWith = (message: M) => lost.get(watched.get(message) ?? '') ?? 0;
  const suspects = messages.filter((message) => lostWith(message) > 0);
  const trusted = underWatch(messages.filter((message) => lostWith(message) === 0));
  // Those that wait for their turn would go to another reader meanwhile.
  await whileWorking(suspects.map(sourceOf), trusted);
  for (const message of suspects) {
    const mine = turn.then(() => alone(message, lostWith(message)));
    turn = mine.catch(() => undefined);
    await whileWorking(suspects.map(sourceOf), mine);
  }
}
