/** A server could not be started or found; the message is one line that says why and, where possible, what to do. */
export class ServerError extends Error {
  override readonly name = 'ServerError';
}
