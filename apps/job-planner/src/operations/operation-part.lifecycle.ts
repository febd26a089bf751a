import type { JobTaskStatus } from '@muster/contracts';
import { defineLifecycle } from '@muster/lifecycle';
import { jobTaskLifecycle } from '../tasks/job-task.lifecycle.js';

/** A device's part in the rollout of an operation: it moves as the task of a job does. */
export const operationPartLifecycle = defineLifecycle<JobTaskStatus>({ ...jobTaskLifecycle, entity: 'operation-part' });
