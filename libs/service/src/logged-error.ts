import { reasonOf } from '@muster/messaging';
import { NatsError } from 'nats';

/** What a log line shows of an error. */
export interface LoggedError {
  type: string;
  code?: string;
  message: string;
  stack?: string;
  /** The text of the statement that failed, without its parameters. */
  query?: string;
  cause?: LoggedError;
}

/** SQLSTATE class 22, "data exception": its messages quote the value that did not fit. */
const QUOTES_VALUES = /^22[0-9A-Z]{3}$/;

/**
 * Picks what may be logged of an error. A failed statement carries its parameters, and the database's own account of the failure repeats
 * values of the row (`detail`, `where`, and for data exceptions the message): arguments, evidence and passwords among them.
 */
export function loggedError(error: unknown): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error, message: String(error) };
  const { code, query, cause, driverError } = error as Error & Record<'code' | 'query' | 'driverError', unknown>;
  const hides = typeof code === 'string' && QUOTES_VALUES.test(code);
  const told = error instanceof NatsError ? reasonOf(error) : error.message;
  const message = hides ? told.replace(/".*"/s, '[hidden]') : told;
  return {
    type: error.constructor.name,
    ...(typeof code === 'string' ? { code } : {}),
    message,
    ...(error.stack ? { stack: error.stack.replace(error.message, () => message) } : {}),
    ...(typeof query === 'string' ? { query } : {}),
    ...(cause instanceof Error && cause !== driverError ? { cause: loggedError(cause) } : {}),
  };
}
