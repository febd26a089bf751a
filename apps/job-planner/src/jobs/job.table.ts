import { jobEntity } from '@muster/contracts';
import { defineStateTable } from '@muster/journal';
import { jobLifecycle } from './job.lifecycle.js';

export const jobTable = defineStateTable(jobEntity, {
  lifecycle: jobLifecycle,
  table: 'job',
  activity: true,
  traced: true,
  eventData: ['job_name', 'job_type'],
  columns: {
    job_name: 'text',
    job_type: 'text',
    description: 'text',
    tags: 'text[]',
    target_type: 'text',
    target_ids: 'jsonb',
    target_query: 'jsonb',
    target_groups: 'jsonb',
    task_data: 'text',
    created_by: 'text',
    cancelled: 'boolean',
    rollback_of: 'uuid',
  },
});
