import { invalidField } from '@muster/contracts';
import { batch, type Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { GROUP_COLUMNS, type GroupRow } from './group.document.js';
import { GroupTree, type GroupNode } from './group.tree.js';

const columns = GROUP_COLUMNS.map((column) => `t.${column}`).join(', ');

/** SQL: the advisory lock of which groups there are in a project, and how they are tied together. */
const SHAPE = `hashtext('device groups'), hashtext($1)`;

/** The most groups that one query may reach: those that it names, all below them, and those that their queries name. */
const MAX_GROUPS = 10_000;

/** The groups that are asked for, all below them, and all that their queries name: `$2` are the ids to begin with. */
const REACHED = `
  WITH RECURSIVE reached AS (
    SELECT unnest($2::uuid[]) AS id
    UNION
    SELECT n.id FROM reached r CROSS JOIN LATERAL (
      SELECT c.id FROM device_group c WHERE c.project_id = $1 AND c.parent_id = r.id
      UNION ALL
      SELECT unnest(q.refers) FROM device_group q WHERE q.project_id = $1 AND q.id = r.id
    ) n
  )
  SELECT t.id, t.parent_id, t.query, t.refers, t.device_count
  FROM reached r JOIN device_group t ON t.project_id = $1 AND t.id = r.id
  LIMIT ${MAX_GROUPS + 1}`;

export type NewGroupRow = Omit<GroupNode, 'device_count'> & { name: string };

/** Which groups: `parent_id` null means those at the top. */
export interface GroupFilter {
  parent_id?: string | null;
  name_prefix?: string;
  after?: string;
}

/** The SQL of groups: one method a statement. */
@Injectable()
export class GroupStore {
  constructor(private readonly dataSource: DataSource) {}

  async get(project: string, id: string): Promise<GroupRow | undefined> {
    const [row] = await this.dataSource.query<GroupRow[]>(
      `SELECT ${columns} FROM device_group t WHERE t.project_id = $1 AND t.id = $2`,
      [project, id],
    );
    return row;
  }

  /** In the order of their ids; at most `limit`. */
  page(project: string, { parent_id, name_prefix, after }: GroupFilter, limit: number): Promise<GroupRow[]> {
    const parameters: unknown[] = [project, limit];
    const bind = (value: unknown) => `$${parameters.push(value)}`;
    const conditions = ['t.project_id = $1'];
    if (parent_id === null) conditions.push('t.parent_id IS NULL');
    else if (parent_id !== undefined) conditions.push(`t.parent_id = ${bind(parent_id)}`);
    if (name_prefix !== undefined) conditions.push(`starts_with(t.name, ${bind(name_prefix)})`);
    if (after !== undefined) conditions.push(`t.id > ${bind(after)}`);
    return this.dataSource.query(
      `SELECT ${columns} FROM device_group t WHERE ${conditions.join(' AND ')} ORDER BY t.id LIMIT $2`,
      parameters,
    );
  }

  /** The groups with these ids, as far as they exist, and all that decide who their members are. */
  async tree(project: string, ids: readonly string[]): Promise<GroupTree> {
    if (ids.length === 0) return GroupTree.NONE;
    return treeOf(await this.dataSource.query<GroupNode[]>(REACHED, [project, ids]));
  }

  /** {@link tree} as the transaction sees it. */
  async treeWithin(tx: Tx, ids: readonly string[]): Promise<GroupTree> {
    return treeOf(await tx.query<GroupNode & Record<string, unknown>>(REACHED, [tx.project, ids]));
  }

  /** Who changes which group is below which, or named by which, takes turns: two changes that are each right could make a circle together. */
  async lockShape(tx: Tx): Promise<void> {
    await tx.query(`SELECT pg_advisory_xact_lock(${SHAPE})`, [tx.project]);
  }

  /** Those of the groups that exist; until the transaction ends nobody deletes them. */
  async hold(tx: Tx, ids: readonly string[]): Promise<Set<string>> {
    await tx.query(`SELECT pg_advisory_xact_lock_shared(${SHAPE})`, [tx.project]);
    const rows = await tx.query<{ id: string }>(
      `SELECT id FROM device_group JOIN ${batch(['$2::uuid[]'], ['id'])} USING (project_id, id)`,
      [tx.project, ids],
    );
    return new Set(rows.map(({ id }) => id));
  }

  async lock(tx: Tx, id: string): Promise<GroupRow | undefined> {
    const [row] = await tx.query<GroupRow>(
      `SELECT ${columns} FROM device_group t WHERE t.project_id = $1 AND t.id = $2 FOR UPDATE`,
      [tx.project, id],
    );
    return row;
  }

  /** How many groups lie above the group, itself included. */
  async depthOf(tx: Tx, id: string): Promise<number> {
    const [row] = await tx.query<{ depth: number }>(
      `WITH RECURSIVE above AS (
         SELECT id, parent_id FROM device_group WHERE project_id = $1 AND id = $2
         UNION
         SELECT p.id, p.parent_id FROM above a JOIN device_group p ON p.project_id = $1 AND p.id = a.parent_id
       ) SELECT count(*)::int AS depth FROM above`,
      [tx.project, id],
    );
    return row!.depth;
  }

  /** @returns whether it was created; neither its id nor its name may be there yet. */
  async create(tx: Tx, group: NewGroupRow): Promise<boolean> {
    const created = await tx.query(
      `INSERT INTO device_group (project_id, id, name, parent_id, query, refers, device_count)
       VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN $5::jsonb IS NULL THEN 0 END)
       ON CONFLICT DO NOTHING RETURNING id`,
      [tx.project, group.id, group.name, group.parent_id, group.query, group.refers],
    );
    return created.length > 0;
  }

  /** @returns undefined when the name is another group's. */
  async update(tx: Tx, group: NewGroupRow): Promise<GroupRow | undefined> {
    const [row] = await tx.query<GroupRow>(
      `UPDATE device_group t SET name = $3, parent_id = $4, query = $5, refers = $6, updated_at = now()
       WHERE t.project_id = $1 AND t.id = $2
         AND NOT EXISTS (SELECT FROM device_group o WHERE o.project_id = $1 AND o.name = $3 AND o.id <> $2)
       RETURNING ${columns}`,
      [tx.project, group.id, group.name, group.parent_id, group.query, group.refers],
    );
    return row;
  }

  /** One group below the group, or whose query names it. */
  async findDependent(tx: Tx, id: string): Promise<{ name: string; below: boolean } | undefined> {
    const [row] = await tx.query<{ name: string; below: boolean }>(
      `SELECT name, parent_id IS NOT DISTINCT FROM $2::uuid AS below FROM device_group
       WHERE project_id = $1 AND (parent_id = $2 OR $2 = ANY(refers)) ORDER BY below DESC, name LIMIT 1`,
      [tx.project, id],
    );
    return row;
  }

  /** An operation that names the group, and whose devices have not all been found, or not all been given their wave. */
  async findOperation(tx: Tx, id: string): Promise<string | undefined> {
    const [row] = await tx.query<{ id: string }>(
      `SELECT id FROM operation
       WHERE project_id = $1 AND due_at IS NOT NULL AND wish = 'run' AND $2 = ANY(refers)
         AND (NOT resolved OR rollout_state IN ('new', 'given') AND in_created > 0) LIMIT 1`,
      [tx.project, id],
    );
    return row?.id;
  }

  async delete(tx: Tx, id: string): Promise<void> {
    await tx.query(`DELETE FROM group_member WHERE project_id = $1 AND group_id = $2`, [tx.project, id]);
    await tx.query(`DELETE FROM device_group WHERE project_id = $1 AND id = $2`, [tx.project, id]);
  }

  /** Those of the ids that no device has, with their places in the list. */
  unknownDevices(tx: Tx, ids: readonly string[], limit: number): Promise<{ id: string; place: number }[]> {
    return tx.query(
      `SELECT i.id, (i.place - 1)::int AS place FROM unnest($2::uuid[]) WITH ORDINALITY AS i(id, place)
       WHERE NOT EXISTS (SELECT FROM device t WHERE t.project_id = $1 AND t.id = i.id OFFSET 0)
       ORDER BY i.place LIMIT $3`,
      [tx.project, ids, limit],
    );
  }

  /** @returns how many were not in it yet. */
  async add(tx: Tx, id: string, devices: readonly string[]): Promise<number> {
    const [row] = await tx.query<{ changed: number }>(
      `WITH added AS (
         INSERT INTO group_member (project_id, group_id, device_id)
         SELECT DISTINCT i.project_id, $2::uuid, i.device_id FROM ${batch(['$3::uuid[]'], ['device_id'])} ORDER BY i.device_id
         ON CONFLICT DO NOTHING RETURNING device_id
       ) SELECT count(*)::int AS changed FROM added`,
      [tx.project, id, devices],
    );
    return row!.changed;
  }

  /** @returns how many were in it. */
  async remove(tx: Tx, id: string, devices: readonly string[]): Promise<number> {
    const [row] = await tx.query<{ changed: number }>(
      `WITH removed AS (
         DELETE FROM group_member t USING ${batch(['$3::uuid[]'], ['device_id'])}
         WHERE t.project_id = i.project_id AND t.group_id = $2 AND t.device_id = i.device_id RETURNING t.device_id
       ) SELECT count(*)::int AS changed FROM removed`,
      [tx.project, id, devices],
    );
    return row!.changed;
  }

  /** Moves the count of a group's list by what was put in (or taken out, below zero). */
  async count(tx: Tx, id: string, by: number): Promise<GroupRow> {
    const [row] = await tx.query<GroupRow>(
      `UPDATE device_group t SET device_count = t.device_count + $3::int,
              updated_at = CASE WHEN $3::int = 0 THEN t.updated_at ELSE now() END
       WHERE t.project_id = $1 AND t.id = $2 RETURNING ${columns}`,
      [tx.project, id, by],
    );
    return row!;
  }
}

function treeOf(nodes: readonly GroupNode[]): GroupTree {
  if (nodes.length <= MAX_GROUPS) return new GroupTree(nodes);
  throw invalidField('query.group', `reaches more than ${MAX_GROUPS} groups, those below and within others included`);
}
