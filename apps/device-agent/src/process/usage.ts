/** What the user gave cannot be used; `message` is one line that names the option. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** `value`, or a {@link UsageError} saying that `what` is missing. */
export function required(value: string | undefined, what: string): string {
  if (!value) throw new UsageError(`${what} is required`);
  return value;
}
