const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/;
const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$/;
const WORD = /^[A-Z]+$/;

/**
 * A document with the format of each value in its place, and of a list that of its elements. Names and their order stay, but for a user's own
 * arguments, which Postgres keeps in an order of its own.
 */
function formatOf(value: unknown): unknown {
  if (Array.isArray(value)) {
    const formats = new Map(value.map((item) => formatOf(item)).map((format) => [JSON.stringify(format), format]));
    return [...formats.values()];
  }
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => [name, formatOf(name === 'arguments' ? sorted(inner) : inner)]),
    );
  if (typeof value === 'number') return Number.isInteger(value) ? 'an integer' : 'a number';
  if (typeof value !== 'string') return typeof value;
  if (UUID.test(value)) return 'a uuid';
  if (DATE_TIME.test(value)) return 'a date-time';
  return WORD.test(value) ? 'a word' : 'a string';
}

const sorted = (document: unknown) => Object.fromEntries(Object.entries(document as object).toSorted());

/** {@link formatOf} line by line, so that the order of names counts as well. */
export const lines = (document: unknown) => JSON.stringify(formatOf(document), undefined, 1).split('\n');

/** What the documentation shows of a document. */
export const documented = <Document extends object>(document: Document, names: readonly string[]) =>
  Object.fromEntries(Object.entries(document).filter(([name]) => names.includes(name)));
