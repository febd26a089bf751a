import type { RunState } from '@muster/contracts';
import { defineLifecycle } from '@muster/lifecycle';

/** A run of a pipeline (interfaces §2); it waits for promotion, or while its stage is paused. */
export const pipelineRunLifecycle = defineLifecycle<RunState>({
  entity: 'pipeline-run',
  initial: 'pending',
  states: {
    pending: { to: ['queued', 'cancelled', 'timeout'] },
    queued: { to: ['processing', 'cancelled', 'timeout'] },
    processing: { to: ['running', 'invalid', 'cancelled', 'timeout'] },
    running: { to: ['waiting', 'complete', 'cancelled', 'timeout'] },
    waiting: { to: ['running', 'cancelled', 'timeout'] },
    complete: { to: ['success', 'failure'] },
    success: { to: [], ends: true },
    failure: { to: [], ends: true },
    cancelled: { to: [], ends: true },
    timeout: { to: [], ends: true },
    invalid: { to: [], ends: true },
  },
});
