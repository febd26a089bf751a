import { DomainError, parse } from '@muster/contracts';
import type { Static, TSchema } from 'typebox';

/** Deeper documents are refused before they are checked: checking and writing a value takes a stack frame a level. */
const MAX_DEPTH = 64;

/** A value that came from outside, as the schema's type. @throws DomainError `invalid` naming the field. */
export function parseDocument<S extends TSchema>(schema: S, value: unknown): Static<S> {
  let level = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) throw new DomainError('invalid', `nested deeper than ${MAX_DEPTH} levels`);
    level = level.flatMap((one) => (typeof one === 'object' && one !== null ? (Object.values(one) as unknown[]) : []));
  }
  return parse(schema, value);
}
