import { DomainError, type DomainErrorKind, type FieldError } from '@muster/contracts';
import { isTransient } from '@muster/persistence';
import { HttpException } from '@nestjs/common';

const STATUS: Record<DomainErrorKind, number> = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  too_large: 413,
  mismatch: 422,
  unavailable: 503,
};

/** Headers that a refusal needs by RFC 9110: a 401 names the scheme (11.6.1), a 503 says when to ask again, in seconds (10.2.3). */
const HEADERS: Partial<Record<DomainErrorKind, Record<string, string>>> = {
  unauthenticated: { 'www-authenticate': 'Bearer' },
  unavailable: { 'retry-after': '1' },
};

/** A refusal on its way out, before a family gives it its shape. */
export class Refusal extends Error {
  override readonly name = 'Refusal';

  constructor(
    readonly status: number,
    message: string,
    readonly errors: readonly FieldError[] = [],
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

/** What the outside is told of anything that was thrown; the cause of an unexpected failure is not among it. */
export function toRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof DomainError) {
    return new Refusal(STATUS[error.kind], error.message, error.details.errors, HEADERS[error.kind]);
  }
  if (error instanceof HttpException) return new Refusal(error.getStatus(), error.message);
  if (isTransient(error)) return new Refusal(503, 'the database does not answer', [], HEADERS.unavailable);
  const status = error instanceof Error ? (error as { statusCode?: unknown }).statusCode : undefined;
  if (typeof status === 'number' && status >= 400 && status < 500) return new Refusal(status, (error as Error).message);
  return new Refusal(500, 'internal error');
}
