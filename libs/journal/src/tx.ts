import type { Transition, WorkContract, WorkHead, WorkItem } from '@muster/contracts';
import { sourcesOf } from '@muster/lifecycle';
import type { QueryRunner } from 'typeorm';
import { toMessages } from './journal.js';
import type { Columns, SqlType, StateTable } from './state-table.js';
import { currentTraceparent } from './trace.js';

/** A work message as the journal keeps it. */
export interface JournalWork {
  subject: string;
  /** The trace that the work belongs to, where it is not the transaction's own. */
  traceparent?: string;
  head: Record<string, unknown>;
  items: Record<string, unknown>[];
}

type Names<C extends Columns> = keyof C & string;

/** Columns to create rows with: one array a column, all as long as `id`. */
export type NewRows<C extends Columns> = { id: readonly string[] } & { [K in Names<C>]?: readonly unknown[] };

export interface Patch<C extends Columns> {
  ids: readonly string[];
  /** One value for all rows. */
  set?: { [K in Names<C>]?: unknown } & { reason?: string };
  /** One value a row, in the order of `ids`. */
  each?: { [K in Names<C>]?: readonly unknown[] } & { reason?: readonly string[] };
  /** Values given to the guard only: name → type and one value a row, seen there as `i.<name>`. */
  given?: Record<string, { type: SqlType; values: readonly unknown[] }>;
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

/** One transaction of one project. */
export class Tx {
  readonly transitions: Transition[] = [];
  readonly outbox: JournalWork[] = [];
  readonly callbacks: (() => void)[] = [];

  constructor(
    private readonly runner: QueryRunner,
    readonly project: string,
  ) {}

  /** Runs one statement and gives its rows. */
  async query<Row = Record<string, unknown>>(sql: string, parameters: unknown[] = []): Promise<Row[]> {
    const result = await this.runner.query(sql, parameters, true);
    return (result.records ?? []) as Row[];
  }

  /**
   * Creates rows in the lifecycle's initial state; ids that exist are left alone. Gives the ids that were really created.
   * `compute`: columns that come from a SQL expression over `i`, the given values.
   */
  async create<C extends Columns>(
    table: StateTable<string, C>,
    rows: NewRows<C>,
    compute: { [K in Names<C>]?: string } = {},
  ): Promise<string[]> {
    const { id, ...rest } = rows as { id: readonly string[] } & Record<string, readonly unknown[]>;
    if (id.length === 0) return [];
    const names = Object.keys(rest);
    const { initial } = table.lifecycle;
    const parameters: unknown[] = [this.project, initial, id];
    const arrays = ['$3::uuid[]', ...names.map((name) => arrayParameter(parameters, typeOf(table, name), rest[name]!))];
    const columns = ['project_id', 'state', 'version', 'state_at', 'id', ...names];
    const values = ['$1', '$2', '1', 'clock.at', 'i.id', ...names.map((name) => element(table, name))];
    for (const [name, expression] of Object.entries(compute)) {
      columns.push(name);
      values.push(String(expression));
    }
    if (table.activity) {
      columns.push('activity');
      values.push(activityEntry('$2', 'clock.at'));
    }
    if (table.traced) {
      parameters.push(currentTraceparent() ?? null);
      columns.push('traceparent');
      values.push(`$${parameters.length}`);
    }
    const created = await this.query<Record<string, unknown> & { id: string; at: string }>(
      `INSERT INTO ${table.table} AS t (${columns.join(', ')})
       SELECT ${values.join(', ')} FROM unnest(${arrays.join(', ')}) AS i(${['id', ...names].join(', ')})
       CROSS JOIN (SELECT clock_timestamp() AS at) clock ORDER BY i.id
       ON CONFLICT DO NOTHING
       RETURNING t.id, ${epochMs('t.state_at')} AS at${list(table.eventData)}`,
      parameters,
    );
    for (const row of created) {
      this.transitions.push(
        transitionOf(table, { id: row.id, from: null, to: initial, version: 1, at: Number(row.at), reason: '', row }),
      );
    }
    return created.map((row) => row.id);
  }

  /**
   * Moves those of `ids` to `to` that are in one of its source states and fit the guard; the rest are left alone. Rows are locked in the
   * order of their ids, so that two batches that overlap wait for each other instead of deadlocking. The time of a move is read once its
   * row is locked: the times of an entity never run backwards, whichever transaction began first.
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
    const parameters: unknown[] = [this.project, patch.from ?? sources, to, patch.ids];
    const given = ['id'];
    const arrays = ['$4::uuid[]'];
    const assignments: string[] = [];
    const known: StateTable = table;
    for (const [name, value] of Object.entries(patch.set ?? {})) {
      const type = typeOf(known, name);
      parameters.push(type === 'jsonb' && value != null ? JSON.stringify(value) : value);
      assignments.push(`${name} = $${parameters.length}::${type}`);
    }
    for (const [name, values] of Object.entries(patch.each ?? {})) {
      arrays.push(arrayParameter(parameters, typeOf(known, name), values as readonly unknown[]));
      given.push(name);
      assignments.push(`${name} = ${element(known, name)}`);
    }
    for (const [name, { type, values }] of Object.entries(patch.given ?? {})) {
      arrays.push(arrayParameter(parameters, type, values));
      given.push(name);
    }
    for (const [name, expression] of Object.entries(patch.compute ?? {}))
      assignments.push(`${name} = ${String(expression)}`);
    if (!assignments.some((assignment) => assignment.startsWith('reason ='))) assignments.push(`reason = ''`);
    if (table.activity) assignments.push(`activity = t.activity || ${activityEntry('$3', 'l.at')}`);

    const returning = [...new Set([...table.eventData, ...(patch.returning ?? [])])];
    const rows = await this.query<
      Record<string, unknown> & { id: string; from_state: string; version: number; at: string; reason: string }
    >(
      `WITH input AS MATERIALIZED (
         SELECT DISTINCT ON (id) * FROM unnest(${arrays.join(', ')}) AS i(${given.join(', ')})
       ), locked AS MATERIALIZED (
         SELECT t.id, t.state, t.state_at FROM ${table.table} t JOIN input i ON i.id = t.id
         WHERE t.project_id = $1 AND t.state = ANY($2)${patch.guard ? ` AND (${patch.guard})` : ''}
         ORDER BY t.id FOR UPDATE OF t
       ), timed AS MATERIALIZED (
         SELECT id, state, GREATEST(clock_timestamp(), state_at) AS at FROM locked
       )
       UPDATE ${table.table} t
       SET state = $3, version = t.version + 1, state_at = l.at, ${assignments.join(', ')}
       FROM timed l JOIN input i ON i.id = l.id
       WHERE t.project_id = $1 AND t.id = l.id
       RETURNING t.id, l.state AS from_state, t.version, ${epochMs('t.state_at')} AS at, t.reason${table.traced ? ', t.traceparent' : ''}${list(returning)}`,
      parameters,
    );
    return rows.map((row) => {
      this.transitions.push(
        transitionOf(known, {
          id: row.id,
          from: row.from_state,
          to,
          version: row.version,
          at: Number(row.at),
          reason: row.reason,
          row,
        }),
      );
      return { id: row.id, from: row.from_state, version: row.version, row };
    });
  }

  /** Work that follows from this transaction: published by the relay once it has committed, at least once. */
  work<C extends WorkContract>(
    contract: C,
    head: WorkHead<C>,
    items: readonly WorkItem<C>[],
    traceparent?: string,
  ): void {
    this.outbox.push(...toMessages(contract, head, items, traceparent));
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

// An array of arrays is a matrix to Postgres and its rows must be of one length, so lists travel as JSON text.
function arrayParameter(parameters: unknown[], type: SqlType, values: readonly unknown[]): string {
  const asText = type === 'jsonb' || type === 'text[]';
  parameters.push(asText ? values.map((value) => (value == null ? null : JSON.stringify(value))) : values);
  return `$${parameters.length}::${asText ? 'text' : type}[]`;
}

function element(table: StateTable, name: string): string {
  const type = typeOf(table, name);
  if (type === 'jsonb') return `i.${name}::jsonb`;
  if (type === 'text[]') return `ARRAY(SELECT jsonb_array_elements_text(i.${name}::jsonb))`;
  return `i.${name}`;
}

const activityEntry = (state: string, at: string) =>
  `jsonb_build_array(jsonb_build_object('state', ${state}::text, 'at', ${at}))`;

const epochMs = (expression: string) => `(extract(epoch FROM ${expression}) * 1000)::bigint`;

const list = (columns: readonly string[]) => columns.map((column) => `, t.${column}`).join('');

function transitionOf(
  table: StateTable,
  moved: {
    id: string;
    from: string | null;
    to: string;
    version: number;
    at: number;
    reason: string;
    row: Record<string, unknown>;
  },
): Transition {
  const { row, ...transition } = moved;
  const data = Object.fromEntries(table.eventData.map((name) => [name, row[name]]));
  const traceparent = (row['traceparent'] as string | null | undefined) ?? currentTraceparent();
  return { entity: table.lifecycle.entity, ...transition, data, ...(traceparent ? { traceparent } : {}) };
}
