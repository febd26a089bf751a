import { DomainError } from '@muster/contracts';
import { isTransient } from '@muster/persistence';

/**
 * Whether a failure says nothing about the message that was handled: the database is in trouble, or a service that was asked over rpc
 * does not answer. Such a message is tried again without end; parking it would lose work whenever a neighbour is away for a minute.
 */
export const isPassing = (error: unknown): boolean =>
  isTransient(error) || (error instanceof DomainError && error.kind === 'unavailable');
