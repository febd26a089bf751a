import type { Transition } from '@muster/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventIdsOf } from './move.js';
import { encode, expandMove, stored, transitions } from './testing/moves.js';

describe('a move', () => {
  it('given any rows, whatever they have in common, then it expands to exactly their transitions', () => {
    fc.assert(
      fc.property(transitions, (list) => {
        const move = stored(encode(list));
        expect(expandMove(move)).toEqual(stored(list));
        expect(eventIdsOf(move)).toEqual(list.map(({ entity, id, version }) => `${entity}.${id}.${version}`));
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
