import type { JobStatus } from '@muster/contracts';
import { defineLifecycle } from '@muster/lifecycle';

/** A batch job (interfaces §1). Stopped, Failed, Partially_successful and Timed_out end by themselves, but a user may reopen them. */
export const jobLifecycle = defineLifecycle<JobStatus>({
  entity: 'job',
  initial: 'Waiting',
  states: {
    Waiting: { to: ['Running', 'Stopping', 'Failed'] },
    Running: { to: ['Successful', 'Partially_successful', 'Failed', 'Timed_out', 'Stopping'] },
    Stopping: { to: ['Stopped'] },
    Stopped: { to: ['Running', 'Stopping'], ends: true },
    Successful: { to: [], ends: true },
    Partially_successful: { to: ['Running'], ends: true },
    Failed: { to: ['Running'], ends: true },
    Timed_out: { to: ['Running'], ends: true },
  },
});
