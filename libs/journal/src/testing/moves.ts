import type { Transition } from '@muster/contracts';
import fc from 'fast-check';
import { encodeMove, valueAt, type Move } from '../move.js';

/** The transitions of a move, in the order of its ids. */
export function expandMove(move: Move): Transition[] {
  const { entity, to, from, version, at, reason, traceparent } = move;
  const columns = Object.entries(move.data);
  return move.ids.map((id, index) => {
    const data: Record<string, unknown> = {};
    for (const [name, column] of columns) data[name] = valueAt(column, index);
    const transition: Transition = {
      entity,
      id,
      from: valueAt(from, index),
      to,
      version: valueAt(version, index),
      at: valueAt(at, index),
      reason: valueAt(reason, index),
      data,
    };
    const trace = traceparent && valueAt(traceparent, index);
    if (trace) transition.traceparent = trace;
    return transition;
  });
}

/** Few values, so that columns of one value, of several, and of some that are missing all come about. */
const few = <T>(...values: [T, ...T[]]) => fc.constantFrom(...values);

/** Transitions of rows that one statement moved. */
export const transitions = fc
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

/** A value as the journal gives it back. */
export const stored = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

/** The move of these transitions. */
export const encode = (list: readonly Transition[]) =>
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
