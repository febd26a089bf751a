import { DomainError, type DeviceQuery } from '@muster/contracts';

/** Levels of `and`, `or`, `not`, the query itself included; also the most parts of an attribute's path. */
export const MAX_QUERY_DEPTH = 16;
/** Most conditions in one query: a statement holds no more than 65,535 parameters. */
export const MAX_QUERY_CONDITIONS = 1_000;

/** A condition over a row `t` of the device table; true or false for every row, never null. */
export interface SqlCondition {
  sql: string;
  parameters: unknown[];
}

type Scalar = string | number | boolean | null;

const refuse = (field: string, message: string): never => {
  throw new DomainError('invalid', `${field}: ${message}`, { errors: [{ field, message }] });
};

/**
 * Writes a query as SQL. Values reach Postgres as parameters alone, numbered from `taken + 1`.
 *
 * An attribute's dotted path goes through objects, never into arrays; null means absent or null.
 * @throws DomainError `invalid` when the query nests too deep or says too much.
 */
export function compileDeviceQuery(query: DeviceQuery, taken = 0): SqlCondition {
  const parameters: unknown[] = [];
  let conditions = 0;

  const bind = (value: unknown) => `$${taken + parameters.push(value)}`;

  const condition = (sql: string): string => {
    if (++conditions > MAX_QUERY_CONDITIONS) refuse('query', `has more than ${MAX_QUERY_CONDITIONS} conditions`);
    return sql;
  };

  const attribute = (path: string, value: Scalar): string => {
    const keys = path.split('.');
    if (keys.length > MAX_QUERY_DEPTH)
      refuse('query.attributes', `a path has more than ${MAX_QUERY_DEPTH} parts: ${path.slice(0, 64)}…`);
    if (value === null)
      return `NOT coalesce(jsonb_path_exists(t.attributes, ${bind(notNull(keys))}, '{}', true), false)`;
    return `t.attributes @> ${bind(JSON.stringify(nested(keys, value)))}::jsonb`;
  };

  const compile = (part: DeviceQuery, depth: number): string => {
    if (depth > MAX_QUERY_DEPTH) refuse('query', `nests deeper than ${MAX_QUERY_DEPTH} levels`);
    const all: string[] = [];
    if (part.ids) all.push(condition(`t.id = ANY(${bind(part.ids)}::uuid[])`));
    if (part.name_prefix !== undefined) all.push(condition(`starts_with(t.name, ${bind(part.name_prefix)})`));
    if (part.tags) all.push(condition(`t.tags @> ${bind(part.tags)}::text[]`));
    if (part.type !== undefined) all.push(condition(`t.type = ${bind(part.type)}`));
    for (const [path, value] of Object.entries(part.attributes ?? {})) all.push(condition(attribute(path, value)));
    if (part.state !== undefined) all.push(condition(`t.state = ${bind(part.state)}`));
    if (part.online !== undefined) all.push(condition(`t.state ${part.online ? '=' : '<>'} 'ONLINE'`));
    for (const inner of part.and ?? []) all.push(compile(inner, depth + 1));
    if (part.or)
      all.push(
        condition(
          joined(
            part.or.map((inner) => compile(inner, depth + 1)),
            'OR',
            'FALSE',
          ),
        ),
      );
    if (part.not) all.push(condition(`NOT ${compile(part.not, depth + 1)}`));
    return joined(all, 'AND', 'TRUE');
  };

  return { sql: compile(query, 1), parameters };
}

const joined = (parts: string[], by: 'AND' | 'OR', none: string) =>
  parts.length ? `(${parts.join(` ${by} `)})` : none;

const nested = (keys: readonly string[], value: Scalar): unknown =>
  keys.reduceRight<unknown>((inner, key) => Object.fromEntries([[key, inner]]), value);

// Strict, so that a key is not looked for inside the elements of an array.
const notNull = (keys: readonly string[]) =>
  `strict $${keys.map((key) => `.${JSON.stringify(key)}`).join('')} ? (@ != null)`;
