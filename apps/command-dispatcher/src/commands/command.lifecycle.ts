import type { CommandState } from '@muster/contracts';
import { defineLifecycle } from '@muster/lifecycle';

/**
 * A command to one device (interfaces §3): QUEUED until its turn, INITIATED when sent, then as the device says. SCHEDULED waits for its window or its
 * next attempt.
 * Ends by the device's word, by a time-out, or by a cancel.
 */
export const commandLifecycle = defineLifecycle<CommandState>({
  entity: 'command',
  initial: 'QUEUED',
  states: {
    QUEUED: { to: ['SCHEDULED', 'INITIATED', 'FAILURE', 'TIMEOUT', 'CANCELLED'] },
    SCHEDULED: { to: ['QUEUED', 'TIMEOUT', 'CANCELLED'] },
    INITIATED: { to: ['SCHEDULED', 'ACKNOWLEDGED', 'INPROGRESS', 'SUCCESS', 'FAILURE', 'TIMEOUT', 'CANCELLED'] },
    ACKNOWLEDGED: { to: ['SCHEDULED', 'INPROGRESS', 'SUCCESS', 'FAILURE', 'TIMEOUT', 'CANCELLED'] },
    INPROGRESS: { to: ['SCHEDULED', 'SUCCESS', 'FAILURE', 'TIMEOUT', 'CANCELLED'] },
    SUCCESS: { to: [], ends: true },
    FAILURE: { to: [], ends: true },
    TIMEOUT: { to: [], ends: true },
    CANCELLED: { to: [], ends: true },
  },
});

/** The states of a command that its device may be working on: it holds its device's lane. */
export const IN_FLIGHT = ['INITIATED', 'ACKNOWLEDGED', 'INPROGRESS'] as const satisfies CommandState[];
