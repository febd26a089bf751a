import type { JetStreamManager, NatsError } from 'nats';
import type { Place, Retelling } from './relay.store.js';

/** The part of a stream's state that says what it may hold. */
export interface StreamState {
  first_seq: number;
  last_seq: number;
}

/**
 * Finds which rows the stream lost, by halving: a stream only ever loses its end, whether a bus that was killed forgot its last moments,
 * a backup was restored or it was made anew, so the rows that it holds come first in the order in which they were told.
 * @param lastPlace the last row with `low < told <= high`.
 * @returns undefined when nothing is lost.
 */
export async function findLost(
  lastPlace: (low: number, high: number) => Promise<Place | undefined>,
  isHeld: (place: Place) => Promise<boolean>,
): Promise<Retelling | undefined> {
  const last = await lastPlace(0, Number.MAX_SAFE_INTEGER);
  if (!last || (await isHeld(last))) return undefined;
  let after = 0;
  let held = 0;
  let lost = last.told;
  while (lost - held > 1) {
    const middle = Math.floor((held + lost) / 2);
    const place = await lastPlace(held, middle);
    if (place && !(await isHeld(place))) {
      lost = place.told;
      continue;
    }
    held = middle;
    after = place?.told ?? after;
  }
  return { after, upTo: last.told };
}

const NO_MESSAGE = 10037;

/**
 * Whether the stream has, or once had, a row's last event where the row says it is. The sequence alone does not tell: after a loss the
 * stream gives the same numbers to other events. What the stream dropped for its age or size is not lost.
 */
export async function holds(
  manager: JetStreamManager,
  stream: string,
  { first_seq, last_seq }: StreamState,
  place: Place,
): Promise<boolean> {
  if (place.streamSeq > last_seq) return false;
  if (place.streamSeq < first_seq) return true;
  try {
    const message = await manager.streams.getMessage(stream, { seq: place.streamSeq });
    return place.events.includes(message.json<{ id: string }>().id);
  } catch (error) {
    if ((error as NatsError).api_error?.err_code === NO_MESSAGE) return false;
    throw error;
  }
}
