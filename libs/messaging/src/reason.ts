import type { NatsError } from 'nats';

/** Why the bus refused, in its own words: the client puts what a full stream says below an error that is only a number. */
export const reasonOf = (error: NatsError): string =>
  error.api_error?.description ?? error.chainedError?.message ?? error.message;
