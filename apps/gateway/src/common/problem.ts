import { STATUS_CODES } from 'node:http';
import Type from 'typebox';
import type { Refusal } from './refusal.js';

export const PROBLEM_TYPE = 'application/problem+json';

/** RFC 9457 problem document. */
export const Problem = Type.Object({
  type: Type.Literal('about:blank'),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.String(),
  errors: Type.Optional(
    Type.Array(
      Type.Object({ field: Type.String({ description: 'dotted path of the field' }), message: Type.String() }),
    ),
  ),
});

/** A refusal as a problem document; `title` is the status' own phrase, as RFC 9457 asks for `about:blank`. */
export const problemOf = (refusal: Refusal): object => ({
  type: 'about:blank',
  title: STATUS_CODES[refusal.status] ?? 'Error',
  status: refusal.status,
  detail: refusal.message,
  ...(refusal.errors.length > 0 && { errors: refusal.errors }),
});
