const LOCK_NOT_AVAILABLE = '55P03';
/** SQLSTATE classes and codes that say "the server's trouble, not the statement's": trying again may succeed. */
const TRANSIENT_CLASSES = ['08', '53', '57', '58'];
const TRANSIENT_CODES = ['40001', '40P01', LOCK_NOT_AVAILABLE, '25P03'];
const TRANSIENT_SYSTEM = ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN'];
// "Already released": TypeORM lets go of a session that was ended between two statements of a transaction, and says only that to the next.
const TRANSIENT_TEXT =
  /connection terminated|timeout exceeded when trying to connect|client has encountered a connection error|not queryable|query read timeout|query runner already released/i;

/** Whether a statement failed because it did not get a lock in time (`lock_timeout`, `NOWAIT`). */
export const isLockTimeout = (error: unknown): boolean => (error as { code?: unknown }).code === LOCK_NOT_AVAILABLE;

/** Whether a failed statement may succeed later unchanged (a lost connection, a restart, a deadlock, a time-out). */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as { code?: unknown }).code;
  if (typeof code === 'string') {
    if (TRANSIENT_CODES.includes(code) || TRANSIENT_SYSTEM.includes(code)) return true;
    if (/^[0-9A-Z]{5}$/.test(code)) return TRANSIENT_CLASSES.includes(code.slice(0, 2));
  }
  return TRANSIENT_TEXT.test(error.message);
}
