import {
  MAX_REPORTED_VALUE,
  type DevicePatch,
  type DeviceQuery,
  type JsonObject,
  type NewDevice,
} from '@muster/contracts';
import { batch, type Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { DOCUMENT_COLUMNS, type DocumentRow } from './device.document.js';
import type { GroupTree } from '../groups/group.tree.js';
import { deviceSource } from './device.source.js';
import { compileDeviceQuery } from './device.query.js';
import { deviceTable } from './device.table.js';
import { pageWithin, toPage, type Page, type PageSql } from './page.rows.js';

const columns = DOCUMENT_COLUMNS.map((column) => `t.${column}`).join(', ');

/** A keyset page: after the device with the id `after`, ordered by name where the query narrows it by a prefix, else by id. */
export interface PageRequest {
  project_id: string;
  query: DeviceQuery;
  /** The groups that the query names. */
  groups: GroupTree;
  after: string | undefined;
  limit: number;
}

/** What a change of a device is made upon. */
export interface LockedDocuments {
  attributes: JsonObject;
  desired: JsonObject;
  reported: JsonObject;
  drifted: boolean;
}

export interface ResolvedRow {
  id: string;
  name: string;
  timezone: string;
}

/** The SQL of devices: one method a statement. */
@Injectable()
export class DeviceStore {
  constructor(private readonly dataSource: DataSource) {}

  async get(project: string, id: string): Promise<DocumentRow | undefined> {
    const [row] = await this.dataSource.query<DocumentRow[]>(
      `SELECT ${columns} FROM device t WHERE t.project_id = $1 AND t.id = $2`,
      [project, id],
    );
    return row;
  }

  /** A page of documents that takes at most `maxBytes` as JSON, and so may be shorter than its limit; it has at least one. */
  page(request: PageRequest, maxBytes: number): Promise<Page<DocumentRow>> {
    return pageWithin(this.dataSource, this.select(columns, request), request.limit, maxBytes);
  }

  async resolve(request: PageRequest): Promise<Page<ResolvedRow>> {
    const { sql, parameters } = this.select('t.id, t.name, t.timezone', request);
    const rows = await this.dataSource.query<ResolvedRow[]>(sql, parameters);
    return toPage(rows, request.limit, rows.length);
  }

  presence(project: string, ids: readonly string[]): Promise<{ id: string; online: boolean; version: number }[]> {
    return this.dataSource.query(
      `SELECT id, state = 'ONLINE' AS online, version FROM device JOIN ${batch(['$2::uuid[]'], ['id'])} USING (project_id, id) ORDER BY id`,
      [project, ids],
    );
  }

  /** What each of these devices reports at a dotted path, as JSON text; null where that is nothing, or too large to be told. */
  reportedAt(project: string, ids: readonly string[], path: string): Promise<{ id: string; value: string | null }[]> {
    // OFFSET keeps Postgres from looking into the document once for each use of what it finds there.
    return this.dataSource.query(
      `SELECT id, CASE WHEN octet_length(found.value) <= ${MAX_REPORTED_VALUE} THEN found.value END AS value
       FROM device JOIN ${batch(['$2::uuid[]'], ['id'])} USING (project_id, id)
       CROSS JOIN LATERAL (SELECT (device.reported #> string_to_array($3, '.'))::text AS value OFFSET 0) found
       ORDER BY id`,
      [project, ids, path],
    );
  }

  /** Registrations of a project take turns: two that name the same devices in different orders would deadlock on the names. */
  async lockNames(tx: Tx): Promise<void> {
    await tx.query(`SELECT pg_advisory_xact_lock(hashtext('device names'), hashtext($1))`, [tx.project]);
  }

  /** @returns the ids of those that did not exist, neither by id nor by name. */
  async create(tx: Tx, registrations: readonly { id: string; device: NewDevice }[]): Promise<string[]> {
    const each = <T>(value: (device: NewDevice) => T) => registrations.map(({ device }) => value(device));
    const created = await tx.create(deviceTable, {
      id: registrations.map(({ id }) => id),
      name: each(({ name }) => name),
      alias: each(({ alias }) => alias ?? ''),
      type: each(({ type }) => type ?? 'device'),
      timezone: each(({ timezone }) => timezone ?? 'UTC'),
      tags: each(({ tags }) => tags ?? []),
      attributes: each(({ attributes }) => attributes ?? {}),
      desired: each(({ desired }) => desired ?? {}),
    });
    return created.map(({ id }) => id);
  }

  async idsOfNames(tx: Tx, names: readonly string[]): Promise<Map<string, string>> {
    const rows = await tx.query<{ id: string; name: string }>(
      `SELECT id, name FROM device JOIN ${batch(['$2::text[]'], ['name'])} USING (project_id, name)`,
      [tx.project, names],
    );
    return new Map(rows.map(({ id, name }) => [name, id]));
  }

  async lockDocuments(tx: Tx, id: string): Promise<LockedDocuments | undefined> {
    const [row] = await tx.query<LockedDocuments & Record<string, unknown>>(
      `SELECT attributes, desired, reported, drifted FROM device WHERE project_id = $1 AND id = $2 FOR UPDATE`,
      [tx.project, id],
    );
    return row;
  }

  /** Sets the fields that are given. `converged`: whether the device is, with what is desired now; given if that changes. A change ends a drift. */
  async update(tx: Tx, id: string, fields: DevicePatch, converged: boolean | undefined): Promise<DocumentRow> {
    const { alias, type, timezone, tags, attributes, desired } = fields;
    const [row] = await tx.query<DocumentRow>(
      `UPDATE device t
       SET alias = coalesce($3, t.alias), type = coalesce($4, t.type), timezone = coalesce($5, t.timezone),
           tags = coalesce($6::text[], t.tags), attributes = coalesce($7::jsonb, t.attributes),
           desired = coalesce($8::jsonb, t.desired), converged = coalesce($9, t.converged),
           drifted = t.drifted AND $9::boolean IS NULL, updated_at = now()
       WHERE t.project_id = $1 AND t.id = $2
       RETURNING ${columns}`,
      [tx.project, id, alias, type, timezone, tags, attributes, desired, converged],
    );
    return row!;
  }

  /**
   * One row more than the limit, to know whether there is more. A prefix is read along the index of names, the members of a group along its
   * list, everything else along the ids: so each page costs what it reads, and all pages together read the project once.
   */
  private select(what: string, { project_id, query, groups, after, limit }: PageRequest): PageSql {
    const parameters: unknown[] = [project_id, limit + 1];
    const bind = (value: unknown) => `$${parameters.push(value)}`;
    const conditions = ['t.project_id = $1'];
    const prefixed = query.name_prefix !== undefined;
    const order = prefixed ? 'name' : 'id';
    const last = after === undefined ? undefined : bind(after);
    if (prefixed) {
      const prefix = bind(query.name_prefix);
      // Nothing that begins with the prefix sorts after the prefix with the last code point.
      conditions.push(`t.name >= ${prefix}`, `t.name <= ${prefix} || chr(1114111)`);
    }
    if (last)
      conditions.push(
        prefixed ? `t.name > (SELECT name FROM device WHERE project_id = $1 AND id = ${last})` : `t.id > ${last}`,
      );
    const source = prefixed ? 'device t' : deviceSource(query, groups, last, bind);
    const compiled = compileDeviceQuery(query, parameters.length, groups);
    conditions.push(compiled.sql);
    return {
      // A device may come from several lists.
      sql: `SELECT DISTINCT ON (t.${order}) ${what} FROM ${source} WHERE ${conditions.join(' AND ')} ORDER BY t.${order} LIMIT $2`,
      parameters: [...parameters, ...compiled.parameters],
      order,
    };
  }
}
