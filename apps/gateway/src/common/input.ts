import { DomainError, invalidField, parse } from '@muster/contracts';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import Type, { type Static, type TObject, type TSchema } from 'typebox';
import { parseDocument } from './document.js';

const requestOf = (context: ExecutionContext) => context.switchToHttp().getRequest<FastifyRequest>();

/** The body, checked against the schema. @throws DomainError `invalid` naming the field. */
export const JsonBody = createParamDecorator((schema: TSchema, context: ExecutionContext) =>
  parseDocument(schema, requestOf(context).body),
);

/** The same for a body that may be left out. */
export const OptionalJsonBody = createParamDecorator((schema: TSchema, context: ExecutionContext) =>
  parseDocument(schema, requestOf(context).body ?? {}),
);

const Nothing = Type.Object({}, { additionalProperties: false });

/** Refuses parameters where none are taken: no body, or an empty object from clients that always send one. */
export const NoBody = createParamDecorator((_: unknown, context: ExecutionContext): void => {
  const { body } = requestOf(context);
  if (body !== undefined && body !== null) parse(Nothing, body);
});

/** The query, checked against the schema. @throws DomainError `invalid` naming the parameter. */
export const QueryParameters = createParamDecorator((schema: TObject, context: ExecutionContext) =>
  parseQuery(schema, requestOf(context).query as Record<string, string | string[]>),
);

/** The bytes of a body that is not parsed. */
export const BodyStream = createParamDecorator(
  (_: unknown, context: ExecutionContext): AsyncIterable<Buffer> => requestOf(context).raw,
);

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const pathOf = (context: ExecutionContext) => requestOf(context).params as Record<string, string>;

function pathId(name: string, id: string): string {
  if (!UUID.test(id)) throw new DomainError('not_found', `${name}: not found`);
  return id.toLowerCase();
}

/** An id in the path. What cannot be an id names nothing. @throws DomainError `not_found`. */
export const PathId = createParamDecorator((name: string, context: ExecutionContext): string =>
  pathId(name, pathOf(context)[name] ?? ''),
);

/** All ids in a path of which every parameter is one, by their names. @throws DomainError `not_found`. */
export const PathIds = createParamDecorator((_: unknown, context: ExecutionContext): Record<string, string> =>
  Object.fromEntries(Object.entries(pathOf(context)).map(([name, id]) => [name, pathId(name, id)])),
);

/** A query of flat parameters as its schema's type; numbers and booleans are taken in their plain spelling alone. */
export function parseQuery<S extends TObject>(schema: S, query: Record<string, string | string[]>): Static<S> {
  const typed = Object.entries(query).map(([name, given]): [string, unknown] => {
    if (typeof given === 'string') return [name, typedAs(schema.properties[name], given)];
    throw invalidField(name, 'given more than once');
  });
  return parse(schema, Object.fromEntries(typed));
}

function typedAs(schema: TSchema | undefined, given: string): unknown {
  const { type } = (schema ?? {}) as { type?: string };
  if (type === 'integer' && /^-?\d{1,15}$/.test(given)) return Number(given);
  if (type === 'boolean' && (given === 'true' || given === 'false')) return given === 'true';
  return given;
}
