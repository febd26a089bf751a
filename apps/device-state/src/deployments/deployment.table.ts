import { deploymentEntity } from '@muster/contracts';
import { defineStateTable } from '@muster/journal';
import { deploymentLifecycle } from './deployment.lifecycle.js';

export const deploymentTable = defineStateTable(deploymentEntity, {
  lifecycle: deploymentLifecycle,
  table: 'deployment',
  columns: {
    device_id: 'uuid',
    name: 'text',
    deployed_version: 'text',
    command_id: 'uuid',
    args: 'jsonb',
    versions: 'jsonb',
    updated_at: 'timestamptz',
  },
  eventData: ['device_id', 'name', 'deployed_version', 'command_id'],
  activity: false,
  traced: false,
});
