import type { EntityContract } from '@muster/contracts';
import type { Lifecycle } from '@muster/lifecycle';

/** SQL types that a column of a batch may have. */
export type SqlType =
  | 'uuid'
  | 'text'
  | 'integer'
  | 'bigint'
  | 'boolean'
  | 'jsonb'
  | 'timestamptz'
  | 'double precision'
  | 'text[]'
  | 'uuid[]';

export type Columns = Readonly<Record<string, SqlType>>;

/**
 * A table whose rows live by a lifecycle. Beside `columns` it has `project_id, id` (its key), `state`, `from_state`, `version`, `reason`,
 * `state_at`, and, where the flags say so, `activity` (jsonb list of `{state, at}`) and `traceparent`.
 */
export interface StateTable<State extends string = string, C extends Columns = Columns> {
  lifecycle: Lifecycle<State>;
  table: string;
  /** Columns that may be set on creation and by a transition. */
  columns: C;
  /** Columns that go into the data of every event. */
  eventData: readonly (keyof C & string)[];
  /** Keeps every state with its time in the row; not for entities that never end. */
  activity: boolean;
  /** Each row keeps the trace it was created in, and its events carry that one. */
  traced: boolean;
}

/** Ties an entity's contract to its lifecycle and its table. */
export function defineStateTable<State extends string, const C extends Columns>(
  entity: EntityContract<State>,
  table: Omit<StateTable<State, C>, 'eventData'> & { eventData: readonly (keyof C & string)[] },
): StateTable<State, C> {
  if (table.lifecycle.entity !== entity.name)
    throw new Error(`${table.table}: the lifecycle of ${table.lifecycle.entity} is not ${entity.name}'s`);
  return table;
}

/** The columns that every state table has, for its migration. */
export function stateTableColumns(table: Pick<StateTable, 'activity' | 'traced'>): string {
  return [
    'project_id text NOT NULL',
    'id uuid NOT NULL',
    'state text NOT NULL',
    'from_state text',
    'version integer NOT NULL',
    `reason text NOT NULL DEFAULT ''`,
    'state_at timestamptz NOT NULL DEFAULT now()',
    'created_at timestamptz NOT NULL DEFAULT now()',
    ...(table.activity ? [`activity jsonb NOT NULL DEFAULT '[]'`] : []),
    ...(table.traced ? ['traceparent text'] : []),
  ].join(',\n  ');
}
