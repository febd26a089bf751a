import type { deploymentEntity, StateOf } from '@muster/contracts';
import { defineLifecycle } from '@muster/lifecycle';

/** A deployment is upgraded, removed, or deployed anew, as often as somebody wants: no state ends it. */
export const deploymentLifecycle = defineLifecycle<StateOf<typeof deploymentEntity>>({
  entity: 'deployment',
  initial: 'DEPLOYED',
  states: {
    DEPLOYED: { to: ['DEPLOYED', 'UPGRADED', 'REMOVED'] },
    UPGRADED: { to: ['DEPLOYED', 'UPGRADED', 'REMOVED'] },
    REMOVED: { to: ['DEPLOYED', 'UPGRADED'] },
  },
});
