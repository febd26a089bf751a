import type { JobTaskStatus } from '@muster/contracts';
import { defineLifecycle } from '@muster/lifecycle';

/**
 * One target's part of a job: Running from its release to its command's outcome, Stopping while its command is being cancelled. Running leads back
 * to Waiting where the device is offline, and where it is tried again. A command that waits for its device may end without being released anew.
 */
export const jobTaskLifecycle = defineLifecycle<JobTaskStatus>({
  entity: 'job-task',
  initial: 'Waiting',
  states: {
    Waiting: { to: ['Running', 'Stopped', 'Successful', 'Failed', 'Timed_out'] },
    Running: { to: ['Waiting', 'Stopping', 'Stopped', 'Successful', 'Failed', 'Timed_out'] },
    Stopping: { to: ['Stopped', 'Successful', 'Failed', 'Timed_out'] },
    Stopped: { to: ['Waiting'], ends: true },
    Successful: { to: [], ends: true },
    Failed: { to: ['Waiting'], ends: true },
    Timed_out: { to: ['Waiting'], ends: true },
  },
});
