import type { Transition } from '@muster/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeMove, eventIdsOf, expandMove } from './move.js';

/** Few values, so that columns of one value, of several, and of some that are missing all come about. */
const few = <T>(...values: [T, ...T[]]) => fc.constantFrom(...values);

const transitions = fc
  .record({
    entity: few('door', 'job-task'),
    to: few('Open', 'Closed'),
    rows: fc.array(
      fc.record(
        {
          id: fc.uuid(),
          from: few<string | null>(null, 'Closed', 'all'),
          version: fc.integer({ min: 1, max: 3 }),
          at: few(0, 1_700_000_000_000, 1_700_000_000_001),
          reason: few('', 'nïght "1"'),
          data: fc.record({
            job_id: few<unknown>('one', 'two', null),
            any: fc.oneof(fc.jsonValue(), few<unknown>({ all: 1 }, [], ['a'])),
          }),
          traceparent: few('00-a-b-01', '00-c-d-00'),
        },
        { requiredKeys: ['id', 'from', 'version', 'at', 'reason', 'data'] },
      ),
      { minLength: 1, maxLength: 8 },
    ),
  })
  .map(({ entity, to, rows }) => rows.map((row): Transition => ({ entity, to, ...row })));

/** As the journal keeps it. */
const stored = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

const encode = (list: readonly Transition[]) =>
  encodeMove(list[0]!.entity, list[0]!.to, {
    ids: list.map(({ id }) => id),
    from: list.map(({ from }) => from),
    version: list.map(({ version }) => version),
    at: list.map(({ at }) => at),
    reason: list.map(({ reason }) => reason!),
    traceparent: list.map(({ traceparent }) => traceparent ?? null),
    data: {
      job_id: list.map(({ data }) => data!['job_id']),
      any: list.map(({ data }) => data!['any']),
    },
  });

describe('a move', () => {
  it('given any rows, whatever they have in common, then it expands to exactly their transitions', () => {
    fc.assert(
      fc.property(transitions, (list) => {
        const move = stored(encode(list));
        expect(expandMove(move)).toEqual(stored(list));
        expect(eventIdsOf(move)).toEqual(list.map(({ id, version }) => `${id}.${version}`));
      }),
    );
  });

  it('given a batch of rows that differ in their ids alone, then each takes no more than its id', () => {
    const row = { entity: 'door', from: 'Open', to: 'Closed', version: 2, at: 1_700_000_000_000, reason: 'night' };
    const list = Array.from({ length: 500 }, (_, index) => ({
      ...row,
      id: `0190a000-0000-7000-8000-${String(index).padStart(12, '0')}`,
      data: { job_id: 'x', any: 1 },
      traceparent: '00-a-b-01',
    }));
    const bytes = (rows: readonly Transition[]) => JSON.stringify(encode(rows)).length;
    expect(bytes(list) - bytes(list.slice(0, 1))).toBe(499 * '"0190a000-0000-7000-8000-000000000000",'.length);
  });
});
