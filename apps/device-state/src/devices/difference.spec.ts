import { isObject, mergePatch, type JsonObject } from '@muster/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { differenceOf, isEmpty, listed, pathsOf, unprovisioned } from './difference.js';

const json = (text: string) => JSON.parse(text) as JsonObject;

const key = fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor');
const { object } = fc.letrec<{ value: unknown; object: JsonObject }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<unknown>(null, 0, 1, 'x', true),
    fc.array(fc.oneof(fc.constantFrom<unknown>(null, 0, 1), tie('object')), { maxLength: 2 }),
    tie('object'),
  ),
  object: fc.array(fc.tuple(key, tie('value')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
}));
// What a device reports was merged, so it has no null outside of arrays.
const reported = object.map((document) => mergePatch({}, document));

/** The meaning of "reported has all that is desired", said once more. */
function hasAll(present: unknown, wanted: unknown): boolean {
  if (wanted === null) return present === undefined;
  if (!isObject(wanted)) return JSON.stringify(sorted(present)) === JSON.stringify(sorted(wanted));
  if (!isObject(present)) return false;
  return Object.entries(wanted).every(([name, value]) =>
    hasAll(Object.hasOwn(present, name) ? present[name] : undefined, value),
  );
}

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return {
    entries: Object.entries(value)
      .map(([name, inner]) => [name, sorted(inner)])
      .sort(),
  };
};

describe('differenceOf', () => {
  it.each([
    ['{}', '{"a":1}', '{}'],
    ['{"a":1}', '{}', '{"a":1}'],
    ['{"a":1}', '{"a":1,"b":2}', '{}'],
    ['{"a":{"b":1,"c":2}}', '{"a":{"b":1,"c":3,"d":4}}', '{"a":{"c":2}}'],
    ['{"a":{"b":1}}', '{"a":"x"}', '{"a":{"b":1}}'],
    ['{"a":{}}', '{}', '{"a":{}}'],
    ['{"a":{}}', '{"a":{"b":1}}', '{}'],
    ['{"a":[1,{"b":2,"c":3}]}', '{"a":[1,{"c":3,"b":2}]}', '{}'],
    ['{"a":[1]}', '{"a":[1,2]}', '{"a":[1]}'],
    ['{"a":[1]}', '{"a":{"0":1}}', '{"a":[1]}'],
    ['{"a":0}', '{"a":-0}', '{}'],
    ['{"a":null}', '{"a":1}', '{"a":null}'],
    ['{"a":null}', '{}', '{}'],
    ['{"__proto__":{"x":1}}', '{}', '{"__proto__":{"x":1}}'],
  ])('given desired %s and reported %s, then it is %s', (desired, state, difference) => {
    expect(differenceOf(json(desired), json(state))).toEqual(json(difference));
  });

  it.each([
    ['{"a":1}', '{}', '{}'],
    ['{"a":{"b":1,"c":2}}', '{"a":{"b":0}}', '{"a":{"b":1}}'],
    ['{"a":{"b":1}}', '{"a":"x"}', '{"a":{"b":1}}'],
    ['{"a":{"b":{"c":1}}}', '{"a":{}}', '{}'],
    ['{"a":null}', '{"a":1}', '{"a":null}'],
  ])('given desired %s and reported %s, when nothing is to be provisioned, then it is %s', (desired, state, left) => {
    expect(differenceOf(json(desired), json(state), { provision: false })).toEqual(json(left));
  });

  it('given any two, when it is merged into reported, then reported has all that is desired', () => {
    fc.assert(
      fc.property(object, reported, (desired, state) => {
        const after = mergePatch(state, differenceOf(desired, state));
        expect(hasAll(after, desired)).toBe(true);
        expect(differenceOf(desired, after)).toEqual({});
      }),
    );
  });

  it('given any two, then it is empty exactly if reported has all that is desired', () => {
    fc.assert(
      fc.property(object, reported, (desired, state) => {
        expect(isEmpty(differenceOf(desired, state))).toBe(hasAll(state, desired));
      }),
      { numRuns: 500 },
    );
  });

  it('given any two, then what desired does not name makes no difference', () => {
    fc.assert(
      fc.property(object, reported, fc.jsonValue(), (desired, state, value) => {
        expect(differenceOf(desired, { ...state, unnamed: value })).toEqual(differenceOf(desired, state));
      }),
    );
  });

  it('given any two, when nothing is provisioned, then it names what reported has, is part of the whole, and comes to its end', () => {
    const withinReported = (difference: JsonObject, state: JsonObject): boolean =>
      Object.entries(difference).every(([name, value]) => {
        if (!Object.hasOwn(state, name)) return false;
        const present = state[name];
        return !isObject(value) || !isObject(present) || withinReported(value, present);
      });
    fc.assert(
      fc.property(object, reported, (desired, state) => {
        const part = differenceOf(desired, state, { provision: false });
        expect(withinReported(part, state)).toBe(true);
        expect(differenceOf(part, mergePatch(state, differenceOf(desired, state)))).toEqual({});
        expect(differenceOf(desired, mergePatch(state, part), { provision: false })).toEqual({});
      }),
    );
  });
});

describe('pathsOf', () => {
  it('given more than the limit, at any depth, then the first ones', () => {
    const wide = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`k${n}`, { a: n, b: {} }]));
    expect(pathsOf(wide, 3)).toEqual(['k0.a', 'k0.b', 'k1.a']);
    expect(pathsOf({ deep: wide }, 100)).toHaveLength(100);
  });
});

describe('what would have to be provisioned', () => {
  it('given a difference, then it is what the device does not have at all, at any depth', () => {
    const desired = { v: 2, net: { mtu: 9000, dns: 'a' }, extra: { a: 1, b: {} } };
    expect(unprovisioned(desired, { v: 1, net: { mtu: 1500 } })).toEqual(['net.dns', 'extra.a', 'extra.b']);
    expect(unprovisioned(desired, { ...desired, v: 1, more: 1 })).toEqual([]);
  });

  it('given more paths than a reason lists, then it says how many more there are', () => {
    const paths = Array.from({ length: 12 }, (_, n) => `p${n}`);
    expect(listed(paths.slice(0, 2))).toBe('p0, p1');
    expect(listed(paths)).toBe('p0, p1, p2, p3, p4, p5, p6, p7, p8, p9 and 2 more');
  });
});
