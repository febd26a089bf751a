import type { JobTaskStatus } from '@muster/contracts';
import { defineLifecycle } from '@muster/lifecycle';
import { jobTaskLifecycle } from '../tasks/job-task.lifecycle.js';

/** A device's way through a stage: it moves as the task of a job does, over all operations of the stage. */
export const stageDeviceLifecycle = defineLifecycle<JobTaskStatus>({ ...jobTaskLifecycle, entity: 'stage-device' });
