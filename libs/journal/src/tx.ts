import type { Notice, NoticeContract, NoticeData, WorkContract, WorkHead, WorkItem } from '@muster/contracts';
import { sourcesOf, type Lifecycle } from '@muster/lifecycle';
import type { ClientBase, QueryResultRow } from 'pg';
import { toMessages } from './journal.js';
import { encodeMove, type Move, type MovedRows } from './move.js';
import type { Columns, SqlType, StateTable } from './state-table.js';
import { currentTraceparent } from './trace.js';

/** A work message as the journal keeps it. */
export interface JournalWork {
  subject: string;
  /** The trace that the work belongs to, where it is not the transaction's own. */
  traceparent?: string;
  /** The message as JSON text: what the relay publishes, byte for byte. */
  body: string;
}

type Names<C extends Columns> = keyof C & string;

/** Columns to create rows with: one array a column, all as long as `id`. */
export type NewRows<C extends Columns> = { id: readonly string[] } & { [K in Names<C>]?: readonly unknown[] };

/** Values that go into no column by themselves: name → type and one value a row, in the order of the ids; SQL sees them as `i.<name>`. */
export type Given = Record<string, { type: SqlType; values: readonly unknown[] }>;

export interface CreateOptions<S extends string, C extends Columns> {
  compute?: { [K in Names<C>]?: string };
  given?: Given;
  through?: readonly S[];
  returning?: readonly Names<C>[];
}

/** A row that was really created. `row`: the columns asked for. */
export interface Created {
  id: string;
  row: Record<string, unknown>;
}

export interface Patch<C extends Columns> {
  ids: readonly string[];
  /** One value for all rows. */
  set?: { [K in Names<C>]?: unknown } & { reason?: string };
  /** One value a row, in the order of `ids`. */
  each?: { [K in Names<C>]?: readonly unknown[] } & { reason?: readonly string[] };
  /** Values for the guard and what is computed. */
  given?: Given;
  /** SQL over `t` (the row) and `i` (given values) that must hold beside the lifecycle's own guard. */
  guard?: string;
  /** Columns set to a SQL expression over `t` and `i`, e.g. `{ attempt: 't.attempt + 1' }`. */
  compute?: { [K in Names<C>]?: string };
  /** Narrows the states that are left; all of them must be sources of the target state. */
  from?: readonly string[];
  returning?: readonly Names<C>[];
}

/** A row that really moved. `row`: the columns asked for, as they are now. */
export interface Moved {
  id: string;
  from: string;
  version: number;
  row: Record<string, unknown>;
}

/** What is told of an entity: as a {@link Notice}, with the data of its contract. */
export type Told<N extends NoticeContract> = Pick<Notice, 'id' | 'number' | 'at' | 'traceparent'> & {
  data: NoticeData<N>;
};

/** One transaction of one project. */
export class Tx {
  readonly moves: Move[] = [];
  readonly notices: Notice[] = [];
  readonly outbox: JournalWork[] = [];
  readonly callbacks: (() => void)[] = [];

  constructor(
    private readonly client: ClientBase,
    readonly project: string,
  ) {}

  /**
   * Runs one statement and gives its rows. It is planned each time: a plan that was kept since a table was small would go on reading all of
   * it when it is large.
   */
  async query<Row extends QueryResultRow = QueryResultRow>(sql: string, parameters: unknown[] = []): Promise<Row[]> {
    const { rows } = await this.client.query<Row>(sql, parameters.map(plainArray));
    return rows;
  }

  /**
   * Creates rows in the lifecycle's initial state; ids that exist are left alone. Gives the rows that were really created.
   * `compute`: columns that come from a SQL expression over `i`, the values of the columns and those `given` beside them. `through`: further states
   * that the new rows pass at once, each a transition of its own; they are in the last one.
   */
  async create<S extends string, C extends Columns>(
    table: StateTable<S, C>,
    rows: NewRows<C>,
    { compute = {}, given: beside = {}, through = [], returning = [] }: CreateOptions<S, C> = {},
  ): Promise<Created[]> {
    const { id, ...rest } = rows as { id: readonly string[] } & Record<string, readonly unknown[]>;
    if (id.length === 0) return [];
    const known: StateTable = table;
    const path = pathOf(table.lifecycle, through);
    const parameters: unknown[] = [this.project, path];
    const given = new Batch(parameters, id);
    for (const [name, values] of Object.entries(rest)) given.add(known, name, values);
    given.addAll(beside);
    const columns = ['project_id', 'state', 'from_state', 'version', 'state_at', 'id', ...Object.keys(rest)];
    const last = 'cardinality($2::text[])';
    const values = ['$1', `($2::text[])[${last}]`, `($2::text[])[${last} - 1]`, last, 'clock.at', 'i.id'];
    values.push(...Object.keys(rest).map((name) => element(known, name)));
    for (const [name, expression] of Object.entries(compute)) {
      columns.push(name);
      values.push(String(expression));
    }
    if (table.activity) {
      columns.push('activity');
      values.push('clock.activity');
    }
    if (table.traced) {
      parameters.push(currentTraceparent() ?? null);
      columns.push('traceparent');
      values.push(`$${parameters.length}`);
    }
    const created = await this.query<Record<string, unknown> & { id: string; at: string }>(
      `INSERT INTO ${table.table} AS t (${columns.join(', ')})
       SELECT ${values.join(', ')} FROM ${given.sql}
       CROSS JOIN (
         SELECT at, (SELECT jsonb_agg(jsonb_build_object('state', state, 'at', at) ORDER BY place) FROM unnest($2::text[]) WITH ORDINALITY p(state, place)) AS activity
         FROM (SELECT clock_timestamp() AS at OFFSET 0) now OFFSET 0
       ) clock
       ON CONFLICT DO NOTHING
       RETURNING t.id, ${epochMs('t.state_at')} AS at${table.traced ? ', t.traceparent' : ''}${list([...new Set([...table.eventData, ...returning])])}`,
      parameters,
    );
    if (created.length === 0) return [];
    const common = { ...columnsOf(known, created), reason: created.map(() => '') };
    for (const [index, to] of path.entries()) {
      const from = created.map(() => path[index - 1] ?? null);
      const version = created.map(() => index + 1);
      this.moves.push(encodeMove(table.lifecycle.entity, to, { ...common, from, version }));
    }
    return created.map((row) => ({ id: row.id, row }));
  }

  /**
   * Moves those of `ids` to `to` that are in one of its source states and fit the guard; the rest are left alone, and an id that is given
   * twice counts with its first values. Rows are taken in the order of their ids, so that two batches that overlap wait for each other. What
   * a move depends on, its time included, is read once its row is locked: the times of an entity never run backwards, whichever transaction
   * began first.
   */
  async transition<S extends string, C extends Columns>(
    table: StateTable<S, C>,
    to: S,
    patch: Patch<C>,
  ): Promise<Moved[]> {
    if (patch.ids.length === 0) return [];
    const sources = sourcesOf(table.lifecycle, to);
    for (const from of patch.from ?? []) {
      if (!(sources as string[]).includes(from))
        throw new Error(`${table.lifecycle.entity}: ${from} does not lead to ${to}`);
    }
    const known: StateTable = table;
    const parameters: unknown[] = [this.project, patch.from ?? sources, to];
    const given = new Batch(parameters, patch.ids);
    const assignments = ['from_state = t.state', 'state = $3', 'version = t.version + 1'];
    for (const [name, value] of Object.entries(patch.set ?? {})) {
      const type = typeOf(known, name);
      parameters.push(type === 'jsonb' && value != null ? JSON.stringify(value) : value);
      assignments.push(`${name} = $${parameters.length}::${type}`);
    }
    for (const [name, values] of Object.entries(patch.each ?? {})) {
      given.add(known, name, values as readonly unknown[]);
      assignments.push(`${name} = ${element(known, name)}`);
    }
    given.addAll(patch.given ?? {});
    for (const [name, expression] of Object.entries(patch.compute ?? {}))
      assignments.push(`${name} = ${String(expression)}`);
    if (!('reason' in { ...patch.set, ...patch.each })) assignments.push(`reason = ''`);
    assignments.push(
      table.activity
        ? `(state_at, activity) = (
             SELECT c.at, t.activity || jsonb_build_object('state', $3::text, 'at', c.at)
             FROM (SELECT GREATEST(clock_timestamp(), t.state_at) AS at OFFSET 0) c)`
        : 'state_at = GREATEST(clock_timestamp(), t.state_at)',
    );

    const returning = [...new Set([...table.eventData, ...(patch.returning ?? [])])];
    const rows = await this.query<
      Record<string, unknown> & { id: string; from_state: string; version: number; at: string; reason: string }
    >(
      `UPDATE ${table.table} t SET ${assignments.join(', ')}
       FROM ${given.sql}
       WHERE t.project_id = i.project_id AND t.id = i.id AND t.state = ANY($2)${patch.guard ? ` AND (${patch.guard})` : ''}
       RETURNING t.id, t.from_state, t.version, ${epochMs('t.state_at')} AS at, t.reason${table.traced ? ', t.traceparent' : ''}${list(returning)}`,
      parameters,
    );
    if (rows.length === 0) return [];
    const from = rows.map((row) => row.from_state);
    const version = rows.map((row) => row.version);
    const reason = rows.map((row) => row.reason);
    this.moves.push(encodeMove(table.lifecycle.entity, to, { ...columnsOf(known, rows), from, version, reason }));
    return rows.map((row) => ({ id: row.id, from: row.from_state, version: row.version, row }));
  }

  /** Work that follows from this transaction: published by the relay once it has committed, at least once. */
  work<C extends WorkContract>(
    contract: C,
    head: WorkHead<C>,
    items: readonly WorkItem<C>[],
    traceparent?: string,
  ): void {
    this.outbox.push(...toMessages(this.project, contract, head, items, traceparent));
  }

  /**
   * Tells something of an entity that is no transition. The events of a transaction's notices come before those of its transitions, so that who
   * listens until an entity has ended has heard all that its end told.
   */
  notice<N extends NoticeContract>({ entity, name }: N, { id, number, at, data, traceparent }: Told<N>): void {
    const trace = traceparent ?? currentTraceparent();
    this.notices.push({ entity: entity.name, name, id, number, at, data, ...(trace && { traceparent: trace }) });
  }

  /** Runs after the commit, or never: for hints and for sends that a sweep repeats. */
  afterCommit(callback: () => void): void {
    this.callbacks.push(callback);
  }
}

const STATE_COLUMNS: Columns = { reason: 'text', id: 'uuid' };

function typeOf(table: StateTable, name: string): SqlType {
  const type = table.columns[name] ?? STATE_COLUMNS[name];
  if (!type) throw new Error(`${table.table} has no column ${name}`);
  return type;
}

/**
 * SQL: the arrays of a batch as one relation `i`, whose rows also have the project, `$1`, as `project_id`. Rows of a table are to be found by
 * both columns of `i`: where the project stands there as a value of its own, Postgres may read all rows of the project for each batch, as long
 * as it has no statistics that tell how many these are.
 */
export const batch = (arrays: readonly [string, ...string[]], names: readonly string[]): string =>
  `unnest(${arrays.join(', ')}, array_fill($1::text, ARRAY[cardinality(${arrays[0]})])) AS i(${names.join(', ')}, project_id)`;

/** The arrays of a batch as one relation `i`: a row for each id, in the order of the ids. */
class Batch {
  private readonly names = ['id'];
  private readonly arrays: [string, ...string[]];
  private readonly order: readonly number[];

  constructor(
    private readonly parameters: unknown[],
    ids: readonly string[],
  ) {
    const places = new Map<string, number>();
    for (const [place, id] of ids.entries()) if (!places.has(id)) places.set(id, place);
    this.order = [...places].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, place]) => place);
    this.arrays = [this.array('uuid', ids)];
  }

  get sql(): string {
    return batch(this.arrays, this.names);
  }

  add(table: StateTable, name: string, values: readonly unknown[]): void {
    this.addTyped(name, typeOf(table, name), values);
  }

  addAll(given: Given): void {
    for (const [name, { type, values }] of Object.entries(given)) this.addTyped(name, type, values);
  }

  private addTyped(name: string, type: SqlType, values: readonly unknown[]): void {
    this.arrays.push(this.array(type, values));
    this.names.push(name);
  }

  // An array of arrays is a matrix to Postgres and its rows must be of one length, so lists travel as JSON text.
  private array(type: SqlType, values: readonly unknown[]): string {
    const ordered = this.order.map((place) => values[place]);
    const asText = type === 'jsonb' || type.endsWith('[]');
    if (asText) this.parameters.push(ordered.map((value) => (value == null ? null : JSON.stringify(value))));
    else this.parameters.push(ordered);
    return `$${this.parameters.length}::${asText ? 'text' : type}[]`;
  }
}

const PLAIN = /^[\d:.TZ+-]+$|^[\da-f-]{36}$/;

/** An array of numbers, times, ids and nulls as Postgres reads it: nothing in it has to be escaped, which is most of what the driver would do. */
function plainArray(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  const elements: readonly unknown[] = value;
  return elements.every(isPlain) ? `{${elements.map((one) => one ?? 'NULL').join(',')}}` : value;
}

const isPlain = (value: unknown): value is string | number | boolean | null | undefined =>
  value == null ||
  typeof value === 'number' ||
  typeof value === 'boolean' ||
  (typeof value === 'string' && PLAIN.test(value));

/** The states that new rows pass. @throws when the lifecycle has no such way. */
function pathOf(lifecycle: Lifecycle<string>, through: readonly string[]): string[] {
  const path = [lifecycle.initial, ...through];
  for (const [index, to] of through.entries()) {
    const from = path[index]!;
    if (!sourcesOf(lifecycle, to).includes(from))
      throw new Error(`${lifecycle.entity}: ${from} does not lead to ${to}`);
  }
  return path;
}

function element(table: StateTable, name: string): string {
  const type = typeOf(table, name);
  if (type === 'jsonb') return `i.${name}::jsonb`;
  if (type.endsWith('[]')) return `ARRAY(SELECT jsonb_array_elements_text(i.${name}::jsonb))::${type}`;
  return `i.${name}`;
}

const epochMs = (expression: string) => `(extract(epoch FROM ${expression}) * 1000)::bigint`;

const list = (columns: readonly string[]) => columns.map((column) => `, t.${column}`).join('');

/** What the rows that a statement returned have in any case. */
function columnsOf(
  table: StateTable,
  rows: readonly (Record<string, unknown> & { id: string; at: string })[],
): Pick<MovedRows, 'ids' | 'at' | 'traceparent' | 'data'> {
  const trace = currentTraceparent() ?? null;
  return {
    ids: rows.map(({ id }) => id),
    at: rows.map(({ at }) => Number(at)),
    traceparent: rows.map((row) => (row['traceparent'] as string | null | undefined) ?? trace),
    data: Object.fromEntries(table.eventData.map((name) => [name, rows.map((row) => row[name])])),
  };
}
