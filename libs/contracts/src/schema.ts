import Type, { type Static, type TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import { Format } from 'typebox/format';
import { Settings } from 'typebox/system';
import { DomainError } from './errors.js';

/** Most fields that a refusal lists. */
const LISTED_ERRORS = 20;
// The checker stops looking after this many, eight unless told; a union spends several on one field.
Settings.Set({ maxErrors: 4 * LISTED_ERRORS });

/** Project slug: the `project_id` of every path, subject and row (interfaces: "Common to every family"). */
export const ProjectId = Type.String({ pattern: '^[a-z0-9-]{1,40}$' });
export const Uuid = Type.String({ format: 'uuid' });
/** The first and the last millisecond, in UTC, whose year has four digits and is one that Postgres knows. */
const FIRST_TIME = Date.parse('0001-01-01T00:00:00Z');
export const LAST_TIME = Date.parse('9999-12-31T23:59:59.999Z');
/**
 * RFC 3339 has times that a `Date` or a `timestamptz` cannot hold, or not write in UTC: leap seconds, the year 0, offsets of 16 hours and more,
 * names of zones, any number of digits, and what an offset moves out of the years from 1 to 9999.
 */
export const isReadableTime = (text: string): boolean => {
  const time = Date.parse(text);
  return (
    Format.IsDateTime(text) &&
    time >= FIRST_TIME &&
    time <= LAST_TIME &&
    !/^0000|\.\d{10}|[+-](?:1[6-9]|2\d):\d\d$/.test(text)
  );
};
Format.Set('date-time', isReadableTime);

/** A time as ISO 8601 text, UTC unless it tells its offset. */
export const Timestamp = Type.String({ format: 'date-time' });
/** A time as it is kept, to the microsecond: their order as texts is their order in time, and a page may go on from one. */
export const ExactTime = Type.String({ format: 'date-time', pattern: '^[0-9]{4}-[^.]*\\.[0-9]{6}Z$' });

const wordsOf = new Map<string, string>();

/** A text of a pattern that also `fits`; `words` say what it must be, to readers of the schema and in a refusal. */
export function textOf(pattern: string, words: string, fits: (text: string) => boolean) {
  wordsOf.set(pattern, words);
  return Type.Refine(Type.String({ pattern, description: words }), fits, () => `must be ${words}`);
}

/** Control characters, those that turn the direction of the text around them, and ends of lines. */
const UNSEEMLY = '\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069';
/** Something in it can be seen. */
const NAME_PATTERN = `^(?=.*[^\\s\\u200b-\\u200d\\u2060\\ufeff])[^${UNSEEMLY}]+$`;
wordsOf.set(NAME_PATTERN, 'a text that can be seen, without control characters and changes of direction');

/** What people call a thing, in up to `maxLength` characters. */
export const nameOfAtMost = (maxLength: number) => Type.String({ minLength: 1, maxLength, pattern: NAME_PATTERN });

/** Any JSON object. */
export const JsonObject = Type.Record(Type.String(), Type.Unknown());

export type JsonObject = Record<string, unknown>;

/** One reason why a value does not fit its schema; `field` is a dotted path (`job_content.targets.3`), empty for the value itself. */
export interface FieldError {
  field: string;
  message: string;
}

const compiled = new WeakMap<TSchema, Validator>();

const validatorOf = (schema: TSchema): Validator => {
  let validator = compiled.get(schema);
  if (!validator) {
    validator = Compile(schema);
    compiled.set(schema, validator);
  }
  return validator;
};

const dotted = (pointer: string) =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .join('.');

/** What is wrong at one place. A union tells of each member apart: `types` are those that its members take, `other` what else is wrong. */
interface Fault {
  types: string[];
  other?: string;
}

/** What says how much of something there must be at least. */
const MINIMUMS: ReadonlySet<string> = new Set(['minItems', 'minLength', 'minProperties']);

type CheckError = ReturnType<Validator['Errors']>[number];

/** What an error of the checker says, in words for people. */
function wordsFor({ keyword, params, message }: CheckError): string {
  const {
    allowedValues,
    allowedValue,
    pattern = '',
    limit,
  } = params as {
    allowedValues?: unknown[];
    allowedValue?: string | number | boolean;
    pattern?: string;
    limit?: number;
  };
  if (allowedValues) return `must be one of ${allowedValues.join(', ')}`;
  if (allowedValue !== undefined) return `must be ${String(allowedValue)}`;
  if (MINIMUMS.has(keyword) && limit === 1) return 'must not be empty';
  const words = wordsOf.get(pattern);
  return words === undefined ? message : `must be ${words}`;
}

/** Lists what is wrong with `value`, each with its field; empty when it fits. */
export function validate(schema: TSchema, value: unknown): FieldError[] {
  const validator = validatorOf(schema);
  if (validator.Check(value)) return [];
  const faults = new Map<string, Fault>();
  const faultAt = (path: string): Fault => {
    const fault = faults.get(path) ?? { types: [] };
    faults.set(path, fault);
    return fault;
  };
  for (const error of validator.Errors(value)) {
    const path = dotted(error.instancePath);
    const params = error.params as { additionalProperties?: string[]; requiredProperties?: string[]; type?: string };
    const below = (name: string) => (path ? `${path}.${name}` : name);
    for (const name of params.additionalProperties ?? []) faultAt(below(name)).other = 'unknown field';
    for (const name of params.requiredProperties ?? []) faultAt(below(name)).other = 'is required';
    if (params.additionalProperties || params.requiredProperties) continue;
    if (params.type) faultAt(path).types.push(params.type);
    else if (error.keyword !== 'anyOf') faultAt(path).other ??= wordsFor(error);
  }
  return [...faults].flatMap(([field, { types, other }]) => {
    if (other !== undefined) return [{ field, message: other }];
    // Where it has the type of one member, what that misses tells more than the types of the others.
    const isTold = [...faults.keys()].some((one) => one !== field && one.startsWith(field && `${field}.`));
    return isTold ? [] : [{ field, message: `must be ${types.join(' or ')}` }];
  });
}

// JSON.stringify writes these as escapes; an even number of backslashes before one means that it is plain text.
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/;

const BAD_TEXT = 'contains U+0000 or half of a surrogate pair';

/** Why a value is not {@link isStorable}. */
export const NOT_STORABLE = `${BAD_TEXT}, or nests too deep`;

/** Whether Postgres can hold the value: it takes no U+0000 and no half of a surrogate pair in text or jsonb, and no endless nesting. */
export function isStorable(value: unknown): boolean {
  try {
    return !UNSTORABLE.test(JSON.stringify(value) ?? '');
  } catch {
    // What was parsed without recursion can nest deeper than the stack is.
    return false;
  }
}

/** How deep a document from outside may nest: checking and writing one takes a stack frame a level, on every service that it reaches. */
export const MAX_DOCUMENT_DEPTH = 64;

/** Whether a value nests deeper than {@link MAX_DOCUMENT_DEPTH}; it recurses into nothing. */
export function nestsTooDeep(value: unknown): boolean {
  let level = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DOCUMENT_DEPTH) return true;
    level = level.flatMap((one) => (typeof one === 'object' && one !== null ? (Object.values(one) as unknown[]) : []));
  }
  return false;
}

/** The first place, in the order of the document, with text that is not {@link isStorable}, or below which it {@link nestsTooDeep}. */
function findUnfit(value: unknown, field = '', depth = 0): FieldError | undefined {
  if (depth > MAX_DOCUMENT_DEPTH) return { field, message: `nested deeper than ${MAX_DOCUMENT_DEPTH} levels` };
  if (typeof value === 'string') return isStorable(value) ? undefined : { field, message: BAD_TEXT };
  if (typeof value !== 'object' || value === null) return undefined;
  for (const key of Object.keys(value)) {
    // Whoever shows the path may be no better at such a name than a table is: it is given as JSON escapes it.
    const name = isStorable(key) ? key : JSON.stringify(key).slice(1, -1);
    const below = field ? `${field}.${name}` : name;
    const found =
      name === key
        ? findUnfit((value as JsonObject)[key], below, depth + 1)
        : { field: below, message: `its name ${BAD_TEXT}` };
    if (found) return found;
  }
  return undefined;
}

const refused = (errors: readonly FieldError[]): DomainError => {
  const [{ field, message }] = errors as [FieldError];
  return new DomainError('invalid', field ? `${field}: ${message}` : message, {
    errors: errors.slice(0, LISTED_ERRORS),
  });
};

/** The refusal of a value that is not {@link isStorable} or {@link nestsTooDeep}, naming the first field at fault. */
export const unfit = (value: unknown): DomainError =>
  refused([findUnfit(value) ?? { field: '', message: NOT_STORABLE }]);

/**
 * Returns `value` as the schema's type.
 * @throws DomainError `invalid` naming the first field that does not fit; `errors` lists up to {@link LISTED_ERRORS}.
 */
export function parse<S extends TSchema>(schema: S, value: unknown): Static<S> {
  const errors = validate(schema, value);
  if (errors.length > 0) throw refused(errors);
  if (!isStorable(value)) throw unfit(value);
  return value as Static<S>;
}
