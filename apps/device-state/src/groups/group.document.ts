import type { DeviceGroup } from '@muster/contracts';
import type { GroupEntity } from './group.entity.js';

/** The columns that a group's document is made of. */
export const GROUP_COLUMNS = [
  'id',
  'project_id',
  'name',
  'parent_id',
  'query',
  'device_count',
  'created_at',
  'updated_at',
] as const satisfies readonly (keyof GroupEntity)[];

export type GroupRow = Pick<GroupEntity, (typeof GROUP_COLUMNS)[number]>;

/** A row as everybody sees it. */
export function toGroup(row: GroupRow): DeviceGroup {
  return {
    id: row.id,
    project_id: row.project_id,
    name: row.name,
    parent_id: row.parent_id,
    kind: row.query ? 'query' : 'list',
    query: row.query as DeviceGroup['query'],
    device_count: row.device_count,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}
