import type { StageRunState } from '@muster/contracts';
import { defineLifecycle } from '@muster/lifecycle';

/** A stage's part in a run (interfaces §2): processing while its target runs are made, running from its first command on. */
export const stageRunLifecycle = defineLifecycle<StageRunState>({
  entity: 'stage-run',
  initial: 'pending',
  states: {
    pending: { to: ['queued', 'cancelled', 'timeout'] },
    queued: { to: ['processing', 'cancelled', 'timeout'] },
    processing: { to: ['running', 'invalid', 'cancelled', 'timeout'] },
    running: { to: ['complete', 'cancelled', 'timeout'] },
    complete: { to: ['success', 'failure'] },
    success: { to: [], ends: true },
    failure: { to: [], ends: true },
    cancelled: { to: [], ends: true },
    timeout: { to: [], ends: true },
    invalid: { to: [], ends: true },
  },
});

/** Why a stage run is `invalid`. */
export const NO_OPERATION = 'the stage has no operation';
export const NO_DEVICE = 'no device to work on';
