import { MAX_DEPLOYMENT_VERSIONS, type DeviceQuery } from '@muster/contracts';
import { batch, type Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { compileDeviceQuery } from '../devices/device.query.js';
import { deviceSource } from '../devices/device.source.js';
import { pageWithin, type Page, type PageSql } from '../devices/page.rows.js';
import type { GroupTree } from '../groups/group.tree.js';
import type { DeploymentEntity } from './deployment.entity.js';
import type { Learnt, Told } from './deployment.learn.js';
import { deploymentTable } from './deployment.table.js';

const SUMMARY = [
  'id',
  'project_id',
  'device_id',
  'name',
  'deployed_version',
  'state',
  'created_at',
  'updated_at',
] as const;

export type SummaryRow = Pick<DeploymentEntity, (typeof SUMMARY)[number]>;
export type DeploymentRow = SummaryRow & Pick<DeploymentEntity, 'args' | 'versions'>;

const summary = SUMMARY.map((column) => `t.${column}`).join(', ');

/** SQL: a command's entry in a deployment's versions. */
const entry = (state: DeploymentEntity['state'], version: string) =>
  `jsonb_build_array(jsonb_build_object('version', ${version}, 'state', '${state}', 'at', clock_timestamp(), 'command_id', i.command_id))`;

/** SQL: a deployment's versions with that entry as the last, without the oldest where there would be too many. */
const extended = (state: DeploymentEntity['state'], version: string) =>
  `CASE WHEN jsonb_array_length(t.versions) < ${MAX_DEPLOYMENT_VERSIONS} THEN t.versions ELSE t.versions - 0 END || ${entry(state, version)}`;

/** SQL: the command is not part of the deployment yet. */
const IS_NEW = `NOT t.versions @> jsonb_build_array(jsonb_build_object('command_id', i.command_id))`;

/** Which deployments. */
export interface DeploymentFilter {
  device_id?: string;
  name?: string;
  after?: string;
}

/** The deployments to work on: those of the ids, if there are any, on devices of the query. */
export interface ResolveRequest {
  project_id: string;
  ids?: readonly string[];
  query: DeviceQuery;
  /** The groups that the query names. */
  groups: GroupTree;
  with_args?: boolean;
  after?: string;
}

/** `args`: where they were asked for. */
export type ResolvedRow = Pick<DeploymentEntity, 'id' | 'name' | 'device_id'> & {
  version: string;
  device_name: string;
  timezone: string;
  args?: DeploymentEntity['args'];
};

/** The SQL of deployments: one method a statement. */
@Injectable()
export class DeploymentStore {
  constructor(private readonly dataSource: DataSource) {}

  async get(project: string, id: string): Promise<DeploymentRow | undefined> {
    const [row] = await this.dataSource.query<DeploymentRow[]>(
      `SELECT ${summary}, t.args, t.versions FROM deployment t WHERE t.project_id = $1 AND t.id = $2`,
      [project, id],
    );
    return row;
  }

  /** Those that are not removed, in the order of their ids; at most `limit`. */
  page(project: string, { device_id, name, after }: DeploymentFilter, limit: number): Promise<SummaryRow[]> {
    const parameters: unknown[] = [project, limit];
    const bind = (value: unknown) => `$${parameters.push(value)}`;
    const conditions = ['t.project_id = $1', `t.state <> 'REMOVED'`];
    if (device_id !== undefined) conditions.push(`t.device_id = ${bind(device_id)}`);
    if (name !== undefined) conditions.push(`t.name = ${bind(name)}`);
    // Only who has a name stands in the index of names, and Postgres has to be told that this one is no empty one.
    if (name) conditions.push(`t.name <> ''`);
    if (after !== undefined) conditions.push(`t.id > ${bind(after)}`);
    return this.dataSource.query(
      `SELECT ${summary} FROM deployment t WHERE ${conditions.join(' AND ')} ORDER BY t.id LIMIT $2`,
      parameters,
    );
  }

  /** Those that are not removed, in the order of their ids, as far as they take at most `maxBytes` as JSON; at least one. */
  resolve(request: ResolveRequest, limit: number, maxBytes: number): Promise<Page<ResolvedRow>> {
    return pageWithin(this.dataSource, selectResolved(request, limit), limit, maxBytes);
  }

  /** Who learns of a project's deployments takes turns: an id goes to one device alone. */
  async lockIds(tx: Tx): Promise<void> {
    await tx.query(`SELECT pg_advisory_xact_lock(hashtext('deployments'), hashtext($1))`, [tx.project]);
  }

  /** The devices that hold deployments of these ids. */
  async holders(tx: Tx, ids: readonly string[]): Promise<Map<string, string>> {
    const rows = await tx.query<{ id: string; device_id: string }>(
      `SELECT id, device_id FROM deployment JOIN ${batch(['$2::uuid[]'], ['id'])} USING (project_id, id)`,
      [tx.project, ids],
    );
    return new Map(rows.map(({ id, device_id }) => [id, device_id]));
  }

  /** Those that are not known yet. @returns their ids. */
  async create(tx: Tx, learnt: readonly Learnt[], to: 'DEPLOYED' | 'UPGRADED'): Promise<Set<string>> {
    const each = <T>(value: (one: Learnt) => T) => learnt.map(value);
    const created = await tx.create(
      deploymentTable,
      {
        id: each(({ id }) => id),
        device_id: each(({ device_id }) => device_id),
        name: each(({ name }) => name ?? ''),
        deployed_version: each(({ version }) => version ?? ''),
        command_id: each(({ command_id }) => command_id),
        args: each(({ args }) => args),
      },
      {
        compute: { versions: entry(to, 'i.deployed_version') },
        through: to === 'UPGRADED' ? [to] : [],
      },
    );
    return new Set(created.map(({ id }) => id));
  }

  /** Those that are known, by commands that are not part of them yet. */
  async change(tx: Tx, learnt: readonly Learnt[], to: 'DEPLOYED' | 'UPGRADED'): Promise<void> {
    const each = <T>(value: (one: Learnt) => T) => learnt.map(value);
    await tx.transition(deploymentTable, to, {
      ids: each(({ id }) => id),
      each: { command_id: each(({ command_id }) => command_id), args: each(({ args }) => args) },
      given: {
        name: { type: 'text', values: each(({ name }) => name) },
        said_version: { type: 'text', values: each(({ version }) => version) },
      },
      guard: IS_NEW,
      compute: {
        name: 'coalesce(i.name, t.name)',
        deployed_version: `coalesce(i.said_version, '')`,
        versions: extended(to, `coalesce(i.said_version, '')`),
        updated_at: 'now()',
      },
    });
  }

  /** Takes those away that are known and not removed yet; what each was made of stays. */
  async remove(tx: Tx, told: readonly Told[]): Promise<void> {
    await tx.transition(deploymentTable, 'REMOVED', {
      ids: told.map(({ id }) => id),
      each: { command_id: told.map(({ command_id }) => command_id) },
      guard: IS_NEW,
      compute: { deployed_version: `''`, versions: extended('REMOVED', `''`), updated_at: 'now()' },
    });
  }
}

function selectResolved({ project_id, ids, query, groups, with_args, after }: ResolveRequest, limit: number): PageSql {
  const parameters: unknown[] = [project_id, limit + 1];
  const bind = (value: unknown) => `$${parameters.push(value)}`;
  const conditions = ['t.project_id = $1', `d.state <> 'REMOVED'`];
  if (after !== undefined) conditions.push(`d.id > ${bind(after)}`);
  const named = ids
    ? `JOIN ${batch([`${bind(ids)}::uuid[]`], ['id'])} ON i.project_id = d.project_id AND i.id = d.id`
    : '';
  const source = deviceSource(query, groups, undefined, bind);
  const devices = compileDeviceQuery(query, parameters.length, groups);
  conditions.push(devices.sql);
  return {
    // An id may be named twice, and a device may come from several lists.
    sql: `SELECT DISTINCT ON (d.id) d.id, d.name, d.deployed_version AS version, d.device_id, t.name AS device_name, t.timezone${with_args ? ', d.args' : ''}
          FROM ${source} JOIN deployment d ON d.project_id = t.project_id AND d.device_id = t.id ${named}
          WHERE ${conditions.join(' AND ')} ORDER BY d.id LIMIT $2`,
    parameters: [...parameters, ...devices.parameters],
    order: 'id',
  };
}
