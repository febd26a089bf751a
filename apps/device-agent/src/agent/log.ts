/** Writes one JSON line to stdout. */
export type Log = (level: 'info' | 'warn' | 'error', msg: string, fields?: Record<string, unknown>) => void;

/** A log whose every line carries `common`. */
export const jsonLog =
  (common: Record<string, unknown>): Log =>
  (level, msg, fields) => {
    process.stdout.write(`${JSON.stringify({ level, time: new Date().toISOString(), msg, ...common, ...fields })}\n`);
  };

/** What went wrong, on one line. */
export const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replaceAll('\n', ' ');
