import type { DeviceQuery } from '@muster/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GroupTree } from '../groups/group.tree.js';
import { compileDeviceQuery, MAX_QUERY_CONDITIONS, MAX_QUERY_DEPTH } from './device.query.js';

const negated = (times: number): DeviceQuery =>
  Array.from({ length: times }).reduce<DeviceQuery>((not) => ({ not }), { online: true });

const ID = (n: number) => `0190a000-0000-7000-8000-00000000000${n}`;

/** A list, and below it a list and a query. */
const tree = new GroupTree([
  { id: ID(1), parent_id: null, query: null, refers: [], device_count: 0 },
  { id: ID(2), parent_id: ID(1), query: null, refers: [], device_count: 0 },
  { id: ID(3), parent_id: ID(1), query: { type: 'a' }, refers: [], device_count: 0 },
]);

describe('compileDeviceQuery', () => {
  it('given no condition, then every device is meant', () => {
    expect(compileDeviceQuery({})).toEqual({ sql: 'TRUE', parameters: [] });
  });

  it('given every condition, then all must hold, and each value is a parameter', () => {
    expect(
      compileDeviceQuery({
        ids: ['0190a000-0000-7000-8000-000000000001'],
        name_prefix: 'par-',
        tags: ['edge', 'eu'],
        type: 'node',
        attributes: { 'site.city': 'Paris', rack: null },
        state: 'OFFLINE',
        online: false,
      }),
    ).toEqual({
      sql:
        '(t.id = ANY($1::uuid[]) AND starts_with(t.name, $2) AND t.tags @> $3::text[] AND t.type = $4' +
        ` AND t.attributes @> $5::jsonb AND NOT coalesce(jsonb_path_exists(t.attributes, $6, '{}', true), false)` +
        ` AND t.state = $7 AND t.state <> 'ONLINE')`,
      parameters: [
        ['0190a000-0000-7000-8000-000000000001'],
        'par-',
        ['edge', 'eu'],
        'node',
        '{"site":{"city":"Paris"}}',
        'strict $."rack" ? (@ != null)',
        'OFFLINE',
      ],
    });
  });

  it('given and, or, not, then they nest in brackets', () => {
    const query = { or: [{ type: 'a' }, { not: { and: [{ type: 'b' }, { online: true }] } }] };
    expect(compileDeviceQuery(query).sql).toBe(`(((t.type = $1) OR (NOT ((t.type = $2) AND (t.state = 'ONLINE')))))`);
  });

  it('given one tag, or attributes by their whole names, then they mean what lists and nested names mean', () => {
    expect(compileDeviceQuery({ tags: 'a', 'attributes.site.city': 'Paris', 'attributes.rack': null })).toEqual(
      compileDeviceQuery({ tags: ['a'], attributes: { 'site.city': 'Paris', rack: null } }),
    );
  });

  it('given a group, then its lists are looked into at once, and the queries of those below it are written out', () => {
    const compiled = compileDeviceQuery({ group: ID(1), not: { group: ID(1) } }, 0, tree);
    const list = `EXISTS (SELECT FROM group_member m WHERE m.project_id = t.project_id AND m.device_id = t.id AND m.group_id = ANY($1::uuid[]) OFFSET 0)`;
    expect(compiled).toEqual({
      sql: `((${list} OR (t.type = $2)) AND NOT ((${list} OR (t.type = $3))))`,
      parameters: [[ID(1), ID(2)], 'a', 'a'],
    });
  });

  it('given a group that is not there, then the refusal says where it is named', () => {
    expect(() => compileDeviceQuery({ and: [{ type: 'a' }, { not: { group: ID(9) } }] }, 0, tree)).toThrow(
      `query.and.1.not.group: no group ${ID(9)}`,
    );
  });

  it('given groups whose queries name each other, then it comes to an end', () => {
    const circle = new GroupTree([
      {
        id: ID(1),
        parent_id: null,
        query: { or: [{ group: ID(2) }, { group: ID(2) }] },
        refers: [ID(2)],
        device_count: null,
      },
      {
        id: ID(2),
        parent_id: ID(1),
        query: { or: [{ group: ID(1) }, { group: ID(1) }] },
        refers: [ID(1)],
        device_count: null,
      },
    ]);
    expect(() => compileDeviceQuery({ group: ID(1) }, 0, circle)).toThrow(/^query: (nests deeper|has more)/);
  });

  it('given groups that say much together, then what they say counts', () => {
    const query = { or: Array.from({ length: 400 }, () => ({ online: true })) };
    const wide = new GroupTree(
      [1, 2, 3].map((n) => ({ id: ID(n), parent_id: n === 1 ? null : ID(1), query, refers: [], device_count: 0 })),
    );
    expect(() => compileDeviceQuery({ group: ID(2) }, 0, wide)).not.toThrow();
    expect(() => compileDeviceQuery({ group: ID(1) }, 0, wide)).toThrow(
      'query: has more than 1000 conditions, those of its groups included',
    );
  });

  it('given parameters that are taken, then its own come after them', () => {
    expect(compileDeviceQuery({ type: 'a', name_prefix: 'b' }, 3).sql).toBe(
      '(starts_with(t.name, $4) AND t.type = $5)',
    );
  });

  it('given nesting at the limit, then it may; one level more, then it is invalid', () => {
    expect(() => compileDeviceQuery(negated(MAX_QUERY_DEPTH - 1))).not.toThrow();
    expect(() => compileDeviceQuery(negated(MAX_QUERY_DEPTH))).toThrow('query: nests deeper than 16 levels');
  });

  it('given a path or a number of conditions beyond the limit, then it is invalid', () => {
    expect(() => compileDeviceQuery({ attributes: { [Array(17).fill('a').join('.')]: 1 } })).toThrow(
      'query.attributes: a path has more than 16 parts',
    );
    const many = { or: Array.from({ length: MAX_QUERY_CONDITIONS + 1 }, () => ({ online: true })) };
    expect(() => compileDeviceQuery(many)).toThrow('query: has more than 1000 conditions');
    const ids = Array.from({ length: 5_001 }, () => '0190a000-0000-7000-8000-000000000001');
    expect(() => compileDeviceQuery({ ids, not: { ids } })).toThrow('query.ids: more than 10000 ids');
  });

  it('given any text in any place, then the SQL is the same: nothing of it gets in', () => {
    const shape = ([prefix, tag, type, key, value]: readonly string[]) =>
      compileDeviceQuery({
        name_prefix: prefix,
        tags: [tag!],
        type,
        attributes: { [key!.replaceAll('.', '')]: value! },
        not: { attributes: { [key!]: null } },
      }).sql;
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(`'; DROP TABLE device; --`, '$1', `"`, '\\'));
    const plain = shape(['a', 'b', 'c', 'd', 'e']);
    fc.assert(
      fc.property(fc.tuple(text, text, text, text, text), (values) => {
        expect(shape(values)).toBe(plain);
      }),
    );
  });
});
