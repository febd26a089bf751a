import type { TargetRunState } from '@muster/contracts';
import { defineLifecycle } from '@muster/lifecycle';

/**
 * One operation on one device (interfaces §2): queued when it is its turn among the operations of the device, processing from the request of its
 * command, dispatched once that waits in the device's queue, running once it was sent. Invalid: what it builds on did not happen.
 */
export const targetRunLifecycle = defineLifecycle<TargetRunState>({
  entity: 'target-run',
  initial: 'pending',
  states: {
    pending: { to: ['queued', 'cancelled', 'timeout', 'invalid'] },
    queued: { to: ['processing', 'cancelled', 'timeout'] },
    processing: { to: ['dispatched', 'cancelled', 'timeout'] },
    dispatched: { to: ['running', 'complete', 'timeout'] },
    running: { to: ['complete', 'timeout'] },
    complete: { to: ['success', 'failure'] },
    success: { to: [], ends: true },
    failure: { to: [], ends: true },
    cancelled: { to: [], ends: true },
    timeout: { to: [], ends: true },
    invalid: { to: [], ends: true },
  },
});
