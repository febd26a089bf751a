import type { JsonObject } from './schema.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergePatch } from './merge-patch.js';

const json = (text: string) => JSON.parse(text) as JsonObject;

const key = fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor');
const { object } = fc.letrec<{ value: unknown; object: JsonObject }>((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, fc.jsonValue({ maxDepth: 1 }), tie('object')),
  object: fc.array(fc.tuple(key, tie('value')), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
}));

const holdsNull = (value: unknown): boolean =>
  value === null || (typeof value === 'object' && !Array.isArray(value) && Object.values(value).some(holdsNull));

describe('mergePatch', () => {
  // RFC 7396, appendix A: the cases whose target and patch are objects.
  it.each([
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
    ['{"a":"b"}', '{"a":null}', '{}'],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
    ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
    ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
    ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
  ])('given %s, when %s is merged in, then it is %s', (target, patch, merged) => {
    expect(mergePatch(json(target), json(patch))).toEqual(json(merged));
  });

  it('given a key named __proto__, then it is a key like any other', () => {
    const merged = mergePatch(json('{"a":1}'), json('{"__proto__":{"polluted":true}}'));
    expect(Object.entries(merged)).toEqual([
      ['a', 1],
      ['__proto__', { polluted: true }],
    ]);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it('given any patch, then merging it again changes nothing', () => {
    fc.assert(
      fc.property(object, object, (target, patch) => {
        const once = mergePatch(target, patch);
        expect(mergePatch(once, patch)).toEqual(once);
      }),
    );
  });

  it('given any patch, then its nulls are gone and its other values are there', () => {
    fc.assert(
      fc.property(object, object, (target, patch) => {
        const merged = new Map(Object.entries(mergePatch(target, patch)));
        for (const [name, value] of Object.entries(patch)) {
          if (value === null) expect(merged.has(name)).toBe(false);
          else if (typeof value !== 'object' || Array.isArray(value)) expect(merged.get(name)).toEqual(value);
        }
        expect(holdsNull(mergePatch({}, patch))).toBe(false);
      }),
    );
  });

  it('given any target and patch, then keys that the patch does not name stay, and neither argument changes', () => {
    fc.assert(
      fc.property(object, object, (target, patch) => {
        const before = JSON.stringify([target, patch]);
        const merged = new Map(Object.entries(mergePatch(target, patch)));
        for (const [name, value] of Object.entries(target)) {
          if (!Object.hasOwn(patch, name)) expect(merged.get(name)).toEqual(value);
        }
        expect(JSON.stringify([target, patch])).toBe(before);
      }),
    );
  });
});
