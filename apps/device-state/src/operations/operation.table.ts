import { operationEntity } from '@muster/contracts';
import { defineStateTable } from '@muster/journal';
import { operationLifecycle } from './operation.lifecycle.js';

export const operationTable = defineStateTable(operationEntity, {
  lifecycle: operationLifecycle,
  table: 'operation',
  activity: true,
  traced: true,
  eventData: ['operation', 'source_id'],
  columns: {
    operation: 'text',
    schedule_type: 'text',
    schedule_args: 'jsonb',
    console_timezone: 'text',
    query: 'jsonb',
    refers: 'uuid[]',
    rollout: 'jsonb',
    rollout_state: 'text',
    arguments: 'jsonb',
    purpose: 'text',
    source_id: 'uuid',
    created_by: 'uuid',
    updated_by: 'uuid',
    updated_at: 'timestamptz',
    opens_at: 'timestamptz',
    deadline: 'timestamptz',
    due_at: 'timestamptz',
    wake_at: 'timestamptz',
  },
});
