import { jobTaskEntity } from '@muster/contracts';
import { defineStateTable } from '@muster/journal';
import { jobTaskLifecycle } from './job-task.lifecycle.js';

// Its events carry the job's trace, in which every step of the job runs.
export const jobTaskTable = defineStateTable(jobTaskEntity, {
  lifecycle: jobTaskLifecycle,
  table: 'job_task',
  activity: false,
  traced: false,
  eventData: ['job_id', 'target_id'],
  columns: {
    job_id: 'uuid',
    target_id: 'uuid',
    target_name: 'text',
    task_name: 'text',
    deployment_id: 'uuid',
    command_id: 'uuid',
    round: 'integer',
    ask_at: 'timestamptz',
    asks: 'integer',
  },
});
