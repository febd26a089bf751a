import type { OperationState } from '@muster/contracts';
import { defineLifecycle } from '@muster/lifecycle';

/** An operation (interfaces §3); SCHEDULED only while it waits for a window. COMPLETED is passed as soon as every device's part has ended. */
export const operationLifecycle = defineLifecycle<OperationState>({
  entity: 'operation',
  initial: 'CREATED',
  states: {
    CREATED: { to: ['SCHEDULED', 'RESOLVING', 'CANCELLED', 'TIMEOUT'] },
    SCHEDULED: { to: ['RESOLVING', 'CANCELLED', 'TIMEOUT'] },
    RESOLVING: { to: ['RESOLVED', 'CANCELLED', 'TIMEOUT'] },
    RESOLVED: { to: ['DISPATCHING', 'CANCELLED', 'TIMEOUT'] },
    DISPATCHING: { to: ['DISPATCHED', 'CANCELLED', 'TIMEOUT'] },
    DISPATCHED: { to: ['PROCESSING', 'CANCELLED', 'TIMEOUT'] },
    PROCESSING: { to: ['COMPLETED', 'CANCELLED', 'TIMEOUT'] },
    COMPLETED: { to: ['SUCCESS', 'FAILURE'] },
    SUCCESS: { to: [], ends: true },
    FAILURE: { to: [], ends: true },
    CANCELLED: { to: [], ends: true },
    TIMEOUT: { to: [], ends: true },
  },
});
