const LISTED = new Set([...Intl.supportedValuesOf('timeZone'), 'UTC']);

/** Whether a name is in the IANA time zone database; aliases (`US/Pacific`) are, offsets (`+01:00`) are not. */
export function isTimeZone(name: string): boolean {
  if (LISTED.has(name)) return true;
  if (/^[+-]/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
