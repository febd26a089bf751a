import { deviceEntity } from '@muster/contracts';
import { defineStateTable } from '@muster/journal';
import { deviceLifecycle } from './device.lifecycle.js';

/** `presence_due`: when the sweep looks at an online device next; null while it is not online. */
export const deviceTable = defineStateTable(deviceEntity, {
  lifecycle: deviceLifecycle,
  table: 'device',
  columns: {
    name: 'text',
    alias: 'text',
    type: 'text',
    timezone: 'text',
    tags: 'text[]',
    attributes: 'jsonb',
    desired: 'jsonb',
    reported: 'jsonb',
    converged: 'boolean',
    drifted: 'boolean',
    shown: 'jsonb',
    agent: 'jsonb',
    applied: 'jsonb',
    last_seen: 'timestamptz',
    presence_due: 'timestamptz',
    updated_at: 'timestamptz',
  },
  eventData: ['name'],
  activity: false,
  traced: false,
});
