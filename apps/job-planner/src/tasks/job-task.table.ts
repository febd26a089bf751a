import { jobTaskEntity } from '@muster/contracts';
import { defineStateTable } from '@muster/journal';
import { TARGET_COLUMNS, type TargetTable } from '../rollout/target.table.js';
import { jobTaskLifecycle } from './job-task.lifecycle.js';

// Its events carry the job's trace, in which every step of the job runs.
export const jobTaskTable = defineStateTable(jobTaskEntity, {
  lifecycle: jobTaskLifecycle,
  table: 'job_task',
  activity: false,
  traced: false,
  eventData: ['job_id', 'target_id'],
  columns: {
    ...TARGET_COLUMNS,
    job_id: 'uuid',
    target_id: 'uuid',
    target_name: 'text',
    node_name: 'text',
    task_name: 'text',
    deployment_id: 'uuid',
    args: 'jsonb',
  },
});

/** The tasks of jobs as parts of their rollouts. */
export const jobTargets: TargetTable = {
  states: jobTaskTable,
  owner: 'job_id',
  item: ['deployment_id', 'args'],
};
