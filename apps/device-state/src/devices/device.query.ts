import type { AttributeValue, DeviceQuery } from '@muster/contracts';
import { GroupTree } from '../groups/group.tree.js';
import { refuseField } from './device.rules.js';

/** Levels of `and`, `or`, `not` and of groups by query, the query itself included; also the most parts of an attribute's path. */
export const MAX_QUERY_DEPTH = 16;
/** Most conditions in one query, those of its groups included: a statement holds no more than 65,535 parameters. */
export const MAX_QUERY_CONDITIONS = 1_000;
/** Most ids in one query, those in its groups' queries included. */
export const MAX_QUERY_IDS = 10_000;

/** A condition over a row `t` of the device table; true or false for every row, never null. */
export interface SqlCondition {
  sql: string;
  parameters: unknown[];
}

const NESTED_ATTRIBUTE = 'attributes.';

/** The attributes that a query speaks of, whichever way it writes them: path and value. */
const attributesOf = (query: DeviceQuery): [string, AttributeValue][] => [
  ...Object.entries(query.attributes ?? {}),
  ...Object.entries(query as Record<string, AttributeValue>).flatMap(([key, value]): [string, AttributeValue][] =>
    key.startsWith(NESTED_ATTRIBUTE) ? [[key.slice(NESTED_ATTRIBUTE.length), value]] : [],
  ),
];

/**
 * Writes a query as SQL. Values reach Postgres as parameters alone, numbered from `taken + 1`.
 *
 * An attribute's dotted path goes through objects, never into arrays; null means absent or null. `groups` holds those that the query names.
 * @throws DomainError `invalid` when the query names a group that is not there, nests too deep or says too much.
 */
export function compileDeviceQuery(query: DeviceQuery, taken = 0, groups = GroupTree.NONE): SqlCondition {
  const parameters: unknown[] = [];
  const boundLists = new Map<string, string>();
  let conditions = 0;
  let ids = 0;

  const bind = (value: unknown) => `$${taken + parameters.push(value)}`;

  const count = (): void => {
    if (++conditions > MAX_QUERY_CONDITIONS)
      refuseField('query', `has more than ${MAX_QUERY_CONDITIONS} conditions, those of its groups included`);
  };

  const condition = (sql: string): string => {
    count();
    return sql;
  };

  const attribute = (path: string, value: AttributeValue): string => {
    const keys = path.split('.');
    if (keys.length > MAX_QUERY_DEPTH)
      refuseField('query.attributes', `a path has more than ${MAX_QUERY_DEPTH} parts: ${path.slice(0, 64)}…`);
    if (value === null)
      return `NOT coalesce(jsonb_path_exists(t.attributes, ${bind(notNull(keys))}, '{}', true), false)`;
    return `t.attributes @> ${bind(JSON.stringify(nested(keys, value)))}::jsonb`;
  };

  const idList = (listed: readonly string[]): string => {
    ids += listed.length;
    if (ids > MAX_QUERY_IDS) refuseField('query.ids', `more than ${MAX_QUERY_IDS} ids, those of its groups included`);
    return `t.id = ANY(${bind(listed)}::uuid[])`;
  };

  const listed = (id: string, members: readonly string[]): string => {
    const bound = boundLists.get(id) ?? bind(members);
    boundLists.set(id, bound);
    // One look into an index for each device: OFFSET keeps Postgres from reading whole groups for each page instead.
    return `EXISTS (SELECT FROM group_member m WHERE m.project_id = t.project_id AND m.device_id = t.id AND m.group_id = ANY(${bound}::uuid[]) OFFSET 0)`;
  };

  const group = (id: string, depth: number, at: string): string => {
    if (!groups.has(id)) refuseField(`${at}.group`, `no group ${id}`);
    // Counted before its parts are written, so that groups which name each other come to an end.
    count();
    const within = groups.within(id);
    const lists = within.filter((node) => !node.query).map((node) => node.id);
    const parts = lists.length > 0 ? [listed(id, lists)] : [];
    for (const node of within) if (node.query) parts.push(compile(node.query, depth + 1, at));
    return joined(parts, 'OR', 'FALSE');
  };

  const compile = (part: DeviceQuery, depth: number, at: string): string => {
    if (depth > MAX_QUERY_DEPTH) refuseField('query', `nests deeper than ${MAX_QUERY_DEPTH} levels`);
    const all: string[] = [];
    if (part.ids) all.push(condition(idList(part.ids)));
    if (part.name_prefix !== undefined) all.push(condition(`starts_with(t.name, ${bind(part.name_prefix)})`));
    if (part.group !== undefined) all.push(group(part.group.toLowerCase(), depth, at));
    if (part.tags) all.push(condition(`t.tags @> ${bind([part.tags].flat())}::text[]`));
    if (part.type !== undefined) all.push(condition(`t.type = ${bind(part.type)}`));
    for (const [path, value] of attributesOf(part)) all.push(condition(attribute(path, value)));
    if (part.state !== undefined) all.push(condition(`t.state = ${bind(part.state)}`));
    if (part.online !== undefined) all.push(condition(`t.state ${part.online ? '=' : '<>'} 'ONLINE'`));
    if (part.drifted !== undefined) all.push(condition(part.drifted ? 't.drifted' : 'NOT t.drifted'));
    for (const [index, inner] of (part.and ?? []).entries()) all.push(compile(inner, depth + 1, `${at}.and.${index}`));
    if (part.or)
      all.push(
        condition(
          joined(
            part.or.map((inner, index) => compile(inner, depth + 1, `${at}.or.${index}`)),
            'OR',
            'FALSE',
          ),
        ),
      );
    if (part.not) all.push(condition(`NOT ${compile(part.not, depth + 1, `${at}.not`)}`));
    return joined(all, 'AND', 'TRUE');
  };

  return { sql: compile(query, 1, 'query'), parameters };
}

const joined = (parts: string[], by: 'AND' | 'OR', none: string) =>
  parts.length ? `(${parts.join(` ${by} `)})` : none;

const nested = (keys: readonly string[], value: AttributeValue): unknown =>
  keys.reduceRight<unknown>((inner, key) => Object.fromEntries([[key, inner]]), value);

// Strict, so that a key is not looked for inside the elements of an array.
const notNull = (keys: readonly string[]) =>
  `strict $${keys.map((key) => `.${JSON.stringify(key)}`).join('')} ? (@ != null)`;
