import { isStorable } from '@muster/contracts';
import { testPostgres, type TestPostgres } from '@muster/testing';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let postgres: TestPostgres;
let sql: pg.Client;

beforeAll(async () => {
  postgres = await testPostgres();
  sql = new pg.Client({ connectionString: await postgres.createDatabase() });
  await sql.connect();
});
afterAll(async () => {
  await sql.end();
  await postgres.stop();
});

const takes = (value: unknown) =>
  sql.query({ name: 'take', text: 'SELECT $1::jsonb', values: [JSON.stringify(value)] }).then(
    () => true,
    () => false,
  );

const nested = (levels: number) => JSON.parse('[{"a":'.repeat(levels) + '1' + '}]'.repeat(levels)) as unknown;

describe('isStorable', () => {
  it('given any JSON value, then it says what Postgres does with it', async () => {
    const text = fc
      .array(fc.oneof(fc.constantFrom('\u0000', '\ud83d', '\ude00', '\\', '\\u0000', '"', 'é'), fc.string()), {
        maxLength: 6,
      })
      .map((parts) => parts.join(''));
    const json = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        text,
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(text, tie('value'), { maxKeys: 3 }),
      ),
    })).value;
    await fc.assert(
      fc.asyncProperty(json, async (value) => {
        expect(await takes(value)).toBe(isStorable(value));
      }),
      { numRuns: 300 },
    );
  });

  it.each([100, 1_000, 2_000, 3_000, 5_000, 20_000])(
    'given %i objects within each other, then what it lets through Postgres takes',
    async (levels) => {
      const value = nested(levels);
      if (isStorable(value)) expect(await takes(value)).toBe(true);
      else expect(levels).toBeGreaterThan(1_000);
    },
  );
});
