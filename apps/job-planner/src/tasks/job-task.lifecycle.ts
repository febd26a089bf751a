import type { JobTaskStatus } from '@muster/contracts';
import { defineLifecycle } from '@muster/lifecycle';

/** One target's part of a job: Running from its release to its command's outcome, Stopping while its command is being cancelled. */
export const jobTaskLifecycle = defineLifecycle<JobTaskStatus>({
  entity: 'job-task',
  initial: 'Waiting',
  states: {
    Waiting: { to: ['Running', 'Stopped'] },
    Running: { to: ['Stopping', 'Stopped', 'Successful', 'Failed', 'Timed_out'] },
    Stopping: { to: ['Stopped', 'Successful', 'Failed', 'Timed_out'] },
    Stopped: { to: ['Waiting'], ends: true },
    Successful: { to: [], ends: true },
    Failed: { to: ['Waiting'], ends: true },
    Timed_out: { to: ['Waiting'], ends: true },
  },
});
