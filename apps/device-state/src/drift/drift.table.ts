import { driftEntity } from '@muster/contracts';
import { defineStateTable } from '@muster/journal';
import { driftLifecycle } from './drift.lifecycle.js';

export const driftTable = defineStateTable(driftEntity, {
  lifecycle: driftLifecycle,
  table: 'drift',
  columns: { device_id: 'uuid', paths: 'text[]', due_at: 'timestamptz' },
  eventData: ['device_id', 'paths'],
  activity: false,
  traced: false,
});
