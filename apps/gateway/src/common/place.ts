import { ExactTime, invalidField, Uuid, validate } from '@muster/contracts';

/** Where a list that is ordered by a time and then by ids goes on. */
export interface Place<Time extends string | null = string> {
  time: Time;
  id: string;
}

/** A place as `next` carries it: opaque to clients. */
export const placeText = ({ time, id }: Place<string | null>): string =>
  Buffer.from(`${time ?? ''} ${id}`).toString('base64url');

/** The place that `after` names; of a thing without a time it is null. @throws DomainError `invalid` naming `after`. */
export function readPlace(after: string): Place<string | null> {
  const [time = '', id = '', ...rest] = Buffer.from(after, 'base64url').toString().split(' ');
  const isTime = time === '' || validate(ExactTime, time).length === 0;
  if (isTime && rest.length === 0 && validate(Uuid, id).length === 0) return { time: time === '' ? null : time, id };
  throw notAPlace();
}

/** As {@link readPlace}, in a list in which everything has a time. */
export function readTimedPlace(after: string): Place {
  const { time, id } = readPlace(after);
  if (time === null) throw notAPlace();
  return { time, id };
}

const notAPlace = () => invalidField('after', 'is not the next of a page of this list');
