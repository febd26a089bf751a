import { nestsTooDeep, parse, unfit } from '@muster/contracts';
import type { Static, TSchema } from 'typebox';

/** A value that came from outside, as the schema's type. @throws DomainError `invalid` naming the field. */
export function parseDocument<S extends TSchema>(schema: S, value: unknown): Static<S> {
  if (nestsTooDeep(value)) throw unfit(value);
  return parse(schema, value);
}
