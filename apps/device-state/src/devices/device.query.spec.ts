import type { DeviceQuery } from '@muster/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileDeviceQuery, MAX_QUERY_CONDITIONS, MAX_QUERY_DEPTH } from './device.query.js';

const negated = (times: number): DeviceQuery =>
  Array.from({ length: times }).reduce<DeviceQuery>((not) => ({ not }), { online: true });

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
