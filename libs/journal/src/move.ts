import { transitionId } from '@muster/contracts';

/** One value for all rows of a move, or one a row in the order of its ids. Only the latter is an array, whatever the values are. */
export type Column<T> = { all: T } | readonly T[];

/**
 * What one statement did, as the journal keeps it: the rows of one entity that came to one state, column by column. Nearly all of a batch is
 * the same for each row, and a name that is written once a row would cost more than what it names.
 */
export interface Move {
  entity: string;
  to: string;
  ids: readonly string[];
  from: Column<string | null>;
  version: Column<number>;
  /** Epoch milliseconds. */
  at: Column<number>;
  reason: Column<string>;
  /** Absent when none of the rows has a trace. */
  traceparent?: Column<string | null>;
  data: Record<string, Column<unknown>>;
}

/** The rows of a move, column by column, each as long as `ids`. */
export interface MovedRows {
  ids: readonly string[];
  from: readonly (string | null)[];
  version: readonly number[];
  at: readonly number[];
  reason: readonly string[];
  traceparent: readonly (string | null)[];
  data: Record<string, readonly unknown[]>;
}

/** @param rows at least one. */
export function encodeMove(entity: string, to: string, rows: MovedRows): Move {
  const data: Move['data'] = {};
  for (const [name, values] of Object.entries(rows.data)) data[name] = columnOf(values);
  const move: Move = {
    entity,
    to,
    ids: rows.ids,
    from: columnOf(rows.from),
    version: columnOf(rows.version),
    at: columnOf(rows.at),
    reason: columnOf(rows.reason),
    data,
  };
  if (rows.traceparent.some((trace) => trace !== null)) move.traceparent = columnOf(rows.traceparent);
  return move;
}

/** Ids of the move's events, in its order. */
export const eventIdsOf = ({ entity, ids, version }: Pick<Move, 'entity' | 'ids' | 'version'>): string[] =>
  ids.map((id, index) => transitionId({ entity, id, version: valueAt(version, index) }));

function columnOf<T>(values: readonly T[]): Column<T> {
  const first = values[0]!;
  return values.every((value) => value === first) ? { all: first } : values;
}

/** The value of a row, by its index. */
export const valueAt = <T>(column: Column<T>, index: number): T => ('all' in column ? column.all : column[index]!);
