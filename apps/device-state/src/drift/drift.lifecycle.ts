import type { driftEntity, StateOf } from '@muster/contracts';
import { defineLifecycle } from '@muster/lifecycle';

/** A device may drift again and again: no state ends it. */
export const driftLifecycle = defineLifecycle<StateOf<typeof driftEntity>>({
  entity: 'drift',
  initial: 'DRIFTED',
  states: {
    DRIFTED: { to: ['RESOLVED'] },
    RESOLVED: { to: ['DRIFTED'] },
  },
});
