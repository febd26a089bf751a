import { DomainError } from '@muster/contracts';
import Type from 'typebox';
import { describe, expect, it } from 'vitest';
import { parseDocument } from './document.js';
import { parseQuery } from './input.js';

const schema = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
    online: Type.Optional(Type.Boolean()),
    name: Type.Optional(Type.String({ minLength: 1 })),
  },
  { additionalProperties: false },
);

describe('given a query', () => {
  it('when it is spelled plainly, then it has the types of its schema', () => {
    expect(parseQuery(schema, { limit: '20', online: 'false', name: '7' })).toEqual({
      limit: 20,
      online: false,
      name: '7',
    });
    expect(parseQuery(schema, {})).toEqual({});
  });

  it.each<Record<string, string | string[]>>([
    { limit: '-1' },
    { limit: ' 1' },
    { limit: '0x10' },
    { limit: '1e3' },
    { limit: '' },
    { limit: ['1', '2'] },
    { online: 'TRUE' },
    { name: '' },
    { other: '1' },
  ])('when it is %j, then the refusal names the parameter', (query) => {
    const [name] = Object.keys(query);
    expect(() => parseQuery(schema, query)).toThrow(new RegExp(`^${name}: `));
  });
});

describe('given a document', () => {
  const nested = (levels: number): unknown => (levels === 0 ? 1 : { a: [nested(levels - 1)] });

  it('when it is nested deeply, then it is refused before anything recurses into it', () => {
    expect(parseDocument(Type.Unknown(), nested(30))).toEqual(nested(30));
    expect(() => parseDocument(Type.Unknown(), nested(40))).toThrow(DomainError);
    const endless = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000)) as unknown;
    expect(() => parseDocument(Type.Unknown(), endless)).toThrow('nested deeper than 64 levels');
    const message = 'nested deeper than 64 levels';
    expect(() => parseDocument(Type.Unknown(), { args: endless })).toThrow(
      expect.objectContaining({ details: { errors: [{ field: `args${'.0'.repeat(64)}`, message }] } }),
    );
  });
});
