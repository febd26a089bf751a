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
