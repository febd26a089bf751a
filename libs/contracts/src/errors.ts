import type { FieldError } from './schema.js';

/** Why a request was refused; each family's dialect maps it to its own status and shape. */
export type DomainErrorKind =
  'invalid' | 'unauthenticated' | 'forbidden' | 'not_found' | 'conflict' | 'mismatch' | 'too_large' | 'unavailable';

export interface DomainErrorDetails {
  /** Every field that is wrong, when there is more to say than one message. */
  errors?: FieldError[];
}

/** An expected refusal: it travels over rpc as data and reaches the caller with its kind, message and details. */
export class DomainError extends Error {
  override readonly name = 'DomainError';

  constructor(
    readonly kind: DomainErrorKind,
    message: string,
    readonly details: DomainErrorDetails = {},
  ) {
    super(message);
  }
}

/** The refusal of a request for one of its fields; `field` is a dotted path. */
export const invalidField = (field: string, message: string): DomainError =>
  new DomainError('invalid', `${field}: ${message}`, { errors: [{ field, message }] });

/** A refusal by another service, with its fields named as the caller knows them: `was`, where a field begins with it, is `now`. Any other error as it is. */
export function renamed<E>(error: E, was: string, now: string): E | DomainError {
  if (!(error instanceof DomainError)) return error;
  const { kind, message, details } = error;
  const named = (text: string) => (text.startsWith(was) ? now + text.slice(was.length) : text);
  const errors = details.errors?.map((one) => ({ ...one, field: named(one.field) }));
  return new DomainError(kind, named(message), errors && { errors });
}
