import type { Device, DeviceDetail } from '@muster/contracts';
import type { DeviceEntity } from './device.entity.js';
import { differenceOf } from './difference.js';

/** The columns that a device's document is made of. */
export const DOCUMENT_COLUMNS = [
  'id',
  'project_id',
  'name',
  'alias',
  'type',
  'timezone',
  'tags',
  'attributes',
  'desired',
  'reported',
  'drifted',
  'agent',
  'state',
  'version',
  'last_seen',
  'created_at',
  'updated_at',
] as const satisfies readonly (keyof DeviceEntity)[];

export type DocumentRow = Pick<DeviceEntity, (typeof DOCUMENT_COLUMNS)[number]>;

/** A row as everybody sees it. */
export function toDevice(row: DocumentRow): Device {
  return {
    id: row.id,
    project_id: row.project_id,
    name: row.name,
    alias: row.alias,
    type: row.type,
    timezone: row.timezone,
    tags: row.tags,
    attributes: row.attributes,
    desired: row.desired,
    reported: row.reported,
    drifted: row.drifted,
    agent: row.agent,
    state: row.state,
    online: row.state === 'ONLINE',
    version: row.version,
    last_seen: row.last_seen?.toISOString() ?? null,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}

/** A row with what it lacks. */
export const toDeviceDetail = (row: DocumentRow): DeviceDetail => ({
  ...toDevice(row),
  difference: differenceOf(row.desired, row.reported),
});
