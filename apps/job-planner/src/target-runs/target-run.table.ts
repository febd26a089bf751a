import { targetRunEntity } from '@muster/contracts';
import { defineStateTable } from '@muster/journal';
import { targetRunLifecycle } from './target-run.lifecycle.js';

export const targetRunTable = defineStateTable(targetRunEntity, {
  lifecycle: targetRunLifecycle,
  table: 'target_run',
  activity: false,
  traced: false,
  eventData: ['stage_run_id', 'device_id'],
  columns: {
    stage_run_id: 'uuid',
    stage_device_id: 'uuid',
    stage_run_operation_id: 'uuid',
    step: 'integer',
    target_id: 'uuid',
    device_id: 'uuid',
    timezone: 'text',
    device_alias: 'text',
    command_id: 'uuid',
    command_status: 'text',
    code: 'text',
    attempts: 'integer',
    created_by: 'integer',
    updated_by: 'integer',
    updated_at: 'timestamptz',
    started_at: 'timestamptz',
    ended_at: 'timestamptz',
  },
});
