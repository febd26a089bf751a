import fc from 'fast-check';
import Type from 'typebox';
import { describe, expect, it } from 'vitest';
import { NewDeviceGroup } from './device-group.js';
import { DeviceQuery, NewDevice } from './device-state.js';
import { DomainError } from './errors.js';
import { NewOperationList, NewPipeline, NewStage, NewTargetList } from './pipelines.js';
import { isStorable, nameOfAtMost, parse, Timestamp, validate } from './schema.js';

const Order = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    lines: Type.Array(Type.Object({ amount: Type.Integer({ minimum: 1 }) }, { additionalProperties: false })),
    size: Type.Optional(Type.Enum(['small', 'large'])),
    note: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    labels: Type.Optional(
      Type.Union([Type.String({ minLength: 1 }), Type.Array(Type.String({ minLength: 1 }), { minItems: 1 })]),
    ),
    paid: Type.Optional(Type.Literal('cash')),
  },
  { additionalProperties: false },
);
const ID = '3f1c2a52-6b3f-4a53-9d2a-0a1d9be0a001';
const order = (over: object) => ({ id: ID, lines: [{ amount: 1 }], ...over });

const refused = (action: () => unknown): DomainError => {
  try {
    action();
  } catch (error) {
    if (error instanceof DomainError) return error;
  }
  throw new Error('it was not refused');
};

describe('validate', () => {
  it.each([
    ['a missing field', { lines: [] }, [{ field: 'id', message: 'is required' }]],
    ['a missing field in a list', order({ lines: [{}] }), [{ field: 'lines.0.amount', message: 'is required' }]],
    ['an unknown field', order({ colour: 'red' }), [{ field: 'colour', message: 'unknown field' }]],
    [
      'unknown fields far below, one with the separators of a JSON pointer',
      order({ lines: [{ amount: 1 }, { amount: 1, 'a/b~c': 1 }] }),
      [{ field: 'lines.1.a/b~c', message: 'unknown field' }],
    ],
    ['a wrong word', order({ size: 'huge' }), [{ field: 'size', message: 'must be one of small, large' }]],
    ['a wrong format', order({ id: 'x' }), [{ field: 'id', message: 'must match format "uuid"' }]],
    [
      'a number out of range',
      order({ lines: [{ amount: 0 }] }),
      [{ field: 'lines.0.amount', message: 'must be >= 1' }],
    ],
    [
      'a type that no member of a union has',
      order({ note: 5 }),
      [{ field: 'note', message: 'must be string or null' }],
    ],
    ['an empty list that a union takes', order({ labels: [] }), [{ field: 'labels', message: 'must not be empty' }]],
    ['an empty text in it', order({ labels: ['a', ''] }), [{ field: 'labels.1', message: 'must not be empty' }]],
    ['neither text nor list', order({ labels: 1 }), [{ field: 'labels', message: 'must be string or array' }]],
    ['another word than the only one', order({ paid: 'card' }), [{ field: 'paid', message: 'must be cash' }]],
    ['something else altogether', [], [{ field: '', message: 'must be object' }]],
    ['null', null, [{ field: '', message: 'must be object' }]],
  ])('given %s, then the error names the field and the reason', (_what, value, errors) => {
    expect(validate(Order, value)).toEqual(errors);
  });

  it('given several wrong fields, then each is named once', () => {
    const fields = validate(Order, { id: 7, lines: [{ amount: 1.5 }], size: 1, extra: 1 }).map(({ field }) => field);
    expect([...fields].sort()).toEqual(['extra', 'id', 'lines.0.amount', 'size']);
  });

  it.each([{}, { note: null }, { note: 'x' }, { size: 'small' }])(
    'given a value that fits (%j), then nothing',
    (over) => {
      expect(validate(Order, order(over))).toEqual([]);
    },
  );

  it('given a wrong value behind a schema that refers to itself, then the path leads through every turn', () => {
    expect(validate(DeviceQuery, { and: [{ online: true }, { not: { or: [{ state: 'GONE' }] } }] })).toContainEqual({
      field: 'and.1.not.or.0.state',
      message: 'must be one of REGISTERED, ONLINE, OFFLINE',
    });
  });
});

describe('a name', () => {
  const Name = nameOfAtMost(16);

  it.each(['till 4', 'Kasse Köln', 'касса', 'صندوق', '収銀機', '👩‍🔧', ' x ', 'x'])(
    'given %s, then it is one',
    (text) => {
      expect(validate(Name, text)).toEqual([]);
    },
  );

  it.each([
    ['blanks', '  '],
    ['what nobody sees', '\u200b\u00a0\ufeff'],
    ['a new line', 'a\nb'],
    ['a control character', 'a\u0085'],
    ['an escape', '\u001b[31mred'],
    ['an end of line of Unicode', 'a\u2028b'],
    ['a text that turns around', 'exe.\u202egpj'],
    ['an isolate', '\u2066a\u2069'],
    ['a mark of direction', 'a\u200f'],
  ])('given %s, then it is none', (_what, text) => {
    const message = 'must be a text that can be seen, without control characters and changes of direction';
    expect(validate(Name, text)).toEqual([{ field: '', message }]);
  });

  it.each([
    ['a device', NewDevice, {}],
    ['a group', NewDeviceGroup, {}],
    ['a pipeline', NewPipeline, {}],
    ['a stage', NewStage, {}],
    ['a target list', NewTargetList, { target_list_type: 'DEVICES' }],
    ['an operation list', NewOperationList, {}],
  ])('given %s, then it has one', (_what, schema, rest) => {
    expect(validate(schema, { ...rest, name: 'x' })).toEqual([]);
    expect(validate(schema, { ...rest, name: ' ' }).map(({ field }) => field)).toEqual(['name']);
  });

  it('given none or too many characters, then that is told', () => {
    expect(validate(Name, '')[0]!.message).toBe('must not be empty');
    expect(validate(Name, 'x'.repeat(17))[0]!.message).toBe('must not have more than 16 characters');
  });
});

describe('Timestamp', () => {
  it.each([
    '2026-02-28T23:59:59Z',
    '2026-02-28t23:59:59.123456789z',
    '2024-02-29T00:00:00+05:45',
    '2026-01-01T00:00:00+15:59',
    '2026-01-01T00:00:00-15:59',
    '2026-01-01T00:00:00.123456789Z',
    '0001-01-01T00:00:00Z',
    '0001-01-01T01:00:00+01:00',
    '9999-12-31T22:59:59.999-01:00',
  ])('given %s, which database and language can read, then it fits', (text) => {
    expect(validate(Timestamp, text)).toEqual([]);
  });

  it.each([
    ['the year 0', '0000-01-01T00:00:00Z'],
    ['the year 0, but not in UTC', '0000-12-31T23:59:59-01:00'],
    ['the year 0 in UTC', '0001-01-01T00:59:59+01:00'],
    ['the year 10000 in UTC', '9999-12-31T23:00:00-01:00'],
    ['an offset of 16 hours', '2026-01-01T00:00:00+16:00'],
    ['an offset of nearly a day', '2026-01-01T00:00:00-23:59'],
    ['a leap second', '2016-12-31T23:59:60Z'],
    ['ten digits of a second', '2026-01-01T00:00:00.0123456789Z'],
    ['the name of a zone', '2026-01-01T00:00:00Z[Europe/Berlin]'],
    ['no offset', '2026-01-01T00:00:00'],
    ['a day that no month has', '2026-02-30T00:00:00Z'],
    ['a day alone', '2026-01-01'],
    ['no time', 'yesterday'],
  ])('given %s, then it is refused', (_what, text) => {
    expect(validate(Timestamp, text)).toEqual([{ field: '', message: 'must match format "date-time"' }]);
  });
});

describe('parse', () => {
  it('given a value that fits, then it is given back itself', () => {
    const value = order({});
    expect(parse(Order, value)).toBe(value);
  });

  it('given one that does not, then it is refused as invalid, naming the first field and listing all', () => {
    const error = refused(() => parse(Order, order({ size: 'huge', colour: 'red' })));
    expect(error).toMatchObject({ name: 'DomainError', kind: 'invalid' });
    expect(error.details.errors).toHaveLength(2);
    const [first] = error.details.errors!;
    expect(error.message).toBe(`${first!.field}: ${first!.message}`);
  });

  it('given a wrong value without a field, then the message does not begin with a colon', () => {
    expect(refused(() => parse(Order, 'x')).message).toBe('must be object');
  });

  it('given hundreds of wrong fields, then twenty are listed', () => {
    const lines = Array.from({ length: 300 }, () => ({ amount: 0 }));
    expect(refused(() => parse(Order, order({ lines }))).details.errors).toHaveLength(20);
  });

  it('given text that no table can hold, then it is refused though the schema allows it', () => {
    expect(refused(() => parse(Order, order({ note: 'a\u0000b' })))).toMatchObject({
      kind: 'invalid',
      message: 'note: contains U+0000 or half of a surrogate pair',
    });
  });

  const why = 'contains U+0000 or half of a surrogate pair';
  const deep = (levels: number) => JSON.parse('['.repeat(levels) + ']'.repeat(levels)) as unknown;
  it.each([
    ['U+0000 in a list', { a: 'x', b: [1, { c: 'x\0' }], d: '\0' }, { field: 'b.1.c', message: why }],
    ['half of a pair', { a: '\ud800' }, { field: 'a', message: why }],
    ['it in a name', { a: { 'b\ud800': 1 } }, { field: 'a.b\\ud800', message: `its name ${why}` }],
    [
      'endless nesting',
      { a: 1, b: deep(200_000) },
      { field: `b${'.0'.repeat(64)}`, message: 'nested deeper than 64 levels' },
    ],
    ['it as the value itself', '\0', { field: '', message: why }],
  ])('given %s, then the refusal names the place', (_what, value, { field, message }) => {
    const { message: said, details } = refused(() => parse(Type.Unknown(), value));
    expect(details.errors).toEqual([{ field, message }]);
    expect(said).toBe(field ? `${field}: ${message}` : message);
  });
});

describe('isStorable', () => {
  const deep = (levels: number) => JSON.parse('['.repeat(levels) + ']'.repeat(levels)) as unknown;

  it.each([
    ['U+0000', 'a\u0000', false],
    ['U+0000 in a key', { 'a\u0000': 1 }, false],
    ['U+0000 behind a backslash', '\\\u0000', false],
    ['the first half of a pair', ['\ud83d'], false],
    ['the second half of a pair', { a: { b: '\ude00' } }, false],
    ['two halves in the wrong order', '\ude00\ud83d', false],
    ['a whole pair', '\ud83d\ude00', true],
    ['the escape as plain text', '\\u0000 \\ud800', true],
    ['the escape behind two backslashes', '\\\\u0000', true],
    ['other control characters', '\u0001\u001f\u007f', true],
    ['nothing', undefined, true],
    ['nesting without end', deep(200_000), false],
  ])('given %s, then it tells', (_what, value, storable) => {
    expect(isStorable(value)).toBe(storable);
  });

  it('given any text, then it is storable exactly when it is well-formed and has no U+0000', () => {
    const unit = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom('\\', 'u', '0', 'd', '8', '\u0000', '\ud83d', '\ude00', '"') },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)) },
    );
    fc.assert(
      fc.property(
        fc.array(unit, { maxLength: 12 }).map((units) => units.join('')),
        (text) => {
          const encoded = Buffer.from(text, 'utf8').toString('utf8');
          expect(isStorable({ [text]: [text] })).toBe(encoded === text && !text.includes('\0'));
        },
      ),
      { numRuns: 1000 },
    );
  });
});
