import type { NatsConnection } from 'nats';

/** The part of the bus's largest message that the documents of a page may fill. */
const PAGE_SHARE = 0.75;

/** How many bytes of documents one answer may carry, as JSON. */
export const pageBytes = ({ info }: NatsConnection): number =>
  Math.floor((info?.max_payload ?? 1024 * 1024) * PAGE_SHARE);
