import { commandEntity } from '@muster/contracts';
import { defineStateTable } from '@muster/journal';
import { commandLifecycle } from './command.lifecycle.js';

export const commandTable = defineStateTable(commandEntity, {
  lifecycle: commandLifecycle,
  table: 'command',
  activity: true,
  traced: true,
  eventData: ['request_id', 'device_id'],
  columns: {
    request_id: 'uuid',
    device_id: 'uuid',
    ref: 'uuid',
    args: 'jsonb',
    priority: 'integer',
    in_progress_seconds: 'integer',
    offline_seconds: 'integer',
    attempt: 'integer',
    fence: 'integer',
    sends: 'integer',
    expires_at: 'timestamptz',
    deadline: 'timestamptz',
    due_at: 'timestamptz',
    cancel_requested: 'boolean',
    progress: 'double precision',
    code: 'text',
    evidence: 'jsonb',
    by_user: 'boolean',
    retries: 'boolean',
    concurrent: 'boolean',
    lock_owner: 'uuid',
    timezone: 'text',
    window_opens: 'timestamptz',
    window_closes: 'timestamptz',
    failures: 'jsonb',
  },
});
