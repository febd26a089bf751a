/** The user's options cannot be used: one line, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The stack cannot start or go on: one line, exit code 1. */
export class StackError extends Error {
  override readonly name = 'StackError';
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
