import { DomainError } from '@muster/contracts';
import { fittingRows } from '@muster/journal';
import type { DataSource, EntityManager, InsertQueryBuilder, QueryDeepPartialEntity } from 'typeorm';
import type { DefinitionEntity } from './definition.entity.js';

/** Values that columns must have; of a list, any of them. */
export type Filter = Readonly<Record<string, unknown>>;

/** A row without what all definitions have. */
export type NewRow = Filter & { project_id: string; id: string };

export interface PageRequest {
  limit: number;
  offset: number;
}

/** A table of definitions, in SQL. */
export interface DefinitionTable<Row> {
  entity: new () => Row;
  /** What a row is called where it is missing. */
  noun: string;
  /** What rows are read from; the table itself unless told. */
  source?: string;
  /** What is read of a row `t`; all columns unless told. */
  columns?: string;
  /** SQL: what its lists are ordered by, which tells any two rows apart; `id` unless told. */
  order?: string;
}

/** The statements that all tables of definitions share. `Shown`: a row as it is read. */
export abstract class DefinitionStore<Row extends DefinitionEntity, Shown extends Row = Row> {
  protected constructor(
    protected readonly dataSource: DataSource,
    private readonly table: DefinitionTable<Row>,
  ) {}

  async find(key: Filter, manager: EntityManager = this.dataSource.manager): Promise<Shown | undefined> {
    const { sql, values } = where(key);
    const [row] = await manager.query<Shown[]>(`SELECT ${this.columns} FROM ${this.source} t WHERE ${sql}`, values);
    return row;
  }

  /** @throws DomainError `not_found` naming `id`. */
  async get(key: Filter & { id: string }, manager?: EntityManager): Promise<Shown> {
    const row = await this.find(key, manager);
    if (!row) throw new DomainError('not_found', `no ${this.table.noun} ${key.id}`);
    return row;
  }

  async count(filter: Filter, manager: EntityManager = this.dataSource.manager): Promise<number> {
    const { sql, values } = where(filter);
    const [row] = await manager.query<{ count: number }[]>(
      `SELECT count(*)::integer AS count FROM ${this.source} t WHERE ${sql}`,
      values,
    );
    return row!.count;
  }

  /** A part of the rows that fit the filter. It is shorter than its limit where one answer carries no more. */
  async page(
    filter: Filter,
    { limit, offset }: PageRequest,
    order = this.table.order ?? 'id',
  ): Promise<{ count: number; rows: Shown[] }> {
    const { sql, values } = where(filter);
    const [limited, skipped] = [`$${values.length + 1}`, `$${values.length + 2}`];
    const rows = await this.dataSource.query<Shown[]>(
      fittingRows(
        `SELECT ${this.columns} FROM ${this.source} t WHERE ${sql} ORDER BY ${order} LIMIT ${limited} OFFSET ${skipped}`,
        order,
      ),
      [...values, limit, offset],
    );
    return { count: await this.count(filter), rows };
  }

  /** @returns the row as it is read. */
  async insert(manager: EntityManager, row: NewRow, by: number): Promise<Shown> {
    await this.insertOf(manager, row, by).execute();
    return this.get(keyOf(row), manager);
  }

  /** @returns the row as it is now. */
  async update(manager: EntityManager, row: Row, changes: Filter, by: number): Promise<Shown> {
    const values = { ...changes, updated_by: by, updated_at: () => 'now()' };
    await manager.update(this.table.entity, keyOf(row), values as unknown as QueryDeepPartialEntity<Row>);
    return this.get(keyOf(row), manager);
  }

  /** All that refers to it goes with it. */
  async delete(manager: EntityManager, row: Row): Promise<void> {
    await manager.delete(this.table.entity, keyOf(row));
  }

  protected insertOf(manager: EntityManager, row: NewRow, by: number): InsertQueryBuilder<Row> {
    const values = { ...row, created_by: by, updated_by: by };
    return manager
      .createQueryBuilder()
      .insert()
      .into(this.table.entity)
      .values(values as unknown as QueryDeepPartialEntity<Row>);
  }

  private get source(): string {
    return this.table.source ?? this.dataSource.getMetadata(this.table.entity).tableName;
  }

  private get columns(): string {
    return this.table.columns ?? 't.*';
  }
}

const keyOf = ({ project_id, id }: { project_id: string; id: string }) => ({ project_id, id });

function where(filter: Filter): { sql: string; values: unknown[] } {
  const given = Object.entries(filter).filter(([, value]) => value !== undefined);
  const conditions = given.map(([column, value], at) =>
    Array.isArray(value) ? `t.${column} = ANY ($${at + 1})` : `t.${column} = $${at + 1}`,
  );
  return { sql: conditions.join(' AND '), values: given.map(([, value]) => value) };
}
