import type { DeviceOperationState } from '@muster/contracts';
import { defineLifecycle } from '@muster/lifecycle';

/**
 * One device's part of an operation (interfaces §3): INITIATED when its command was asked for, DISPATCHED when that was sent, PROCESSING when
 * the device took it, COMPLETED when the device is done and, of a CONVERGE, the proof is awaited. From CREATED straight to COMPLETED goes what
 * needs no command. What was never sent fails without passing the states of what was.
 */
export const deviceOperationLifecycle = defineLifecycle<DeviceOperationState>({
  entity: 'device-operation',
  initial: 'CREATED',
  states: {
    CREATED: { to: ['INITIATED', 'COMPLETED', 'FAILURE', 'CANCELLED', 'TIMEOUT'] },
    INITIATED: { to: ['DISPATCHED', 'FAILURE', 'CANCELLED', 'TIMEOUT'] },
    DISPATCHED: { to: ['PROCESSING', 'CANCELLED', 'TIMEOUT'] },
    PROCESSING: { to: ['COMPLETED', 'CANCELLED', 'TIMEOUT'] },
    COMPLETED: { to: ['SUCCESS', 'FAILURE'] },
    SUCCESS: { to: [], ends: true },
    FAILURE: { to: [], ends: true },
    CANCELLED: { to: [], ends: true },
    TIMEOUT: { to: [], ends: true },
  },
});
