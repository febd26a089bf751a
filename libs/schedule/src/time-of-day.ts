export const DAY_MS = 24 * 60 * 60_000;

const WRITTEN = /^(?:\d{4}-\d{2}-\d{2}T)?(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?/;

/**
 * Milliseconds after midnight of a text that fits the contract's TimeOfDay. Of a whole date-time it is the time as it is written: its date
 * and its `Z` say nothing, since whose clock is meant is told by `time_type`.
 */
export function timeOfDay(text: string): number {
  const [, hours, minutes, seconds = '0', fraction = ''] = WRITTEN.exec(text)!;
  return ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 + Number(fraction.padEnd(3, '0'));
}
