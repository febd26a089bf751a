import { deviceOperationEntity } from '@muster/contracts';
import { defineStateTable } from '@muster/journal';
import { deviceOperationLifecycle } from './device-operation.lifecycle.js';

// Its events carry the operation's trace, in which every step of the operation runs.
export const deviceOperationTable = defineStateTable(deviceOperationEntity, {
  lifecycle: deviceOperationLifecycle,
  table: 'device_operation',
  activity: true,
  traced: false,
  eventData: ['operation_id', 'device_id'],
  columns: {
    operation_id: 'uuid',
    device_id: 'uuid',
    command_id: 'uuid',
    wanted: 'jsonb',
    cancel_requested: 'boolean',
    due_at: 'timestamptz',
    ask_at: 'timestamptz',
    asks: 'integer',
  },
});
