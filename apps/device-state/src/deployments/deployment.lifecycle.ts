import type { deploymentEntity, StateOf } from '@muster/contracts';
import { defineLifecycle } from '@muster/lifecycle';

/** A deployment is upgraded, or deployed anew, as often as somebody wants: no state ends it. */
export const deploymentLifecycle = defineLifecycle<StateOf<typeof deploymentEntity>>({
  entity: 'deployment',
  initial: 'DEPLOYED',
  states: {
    DEPLOYED: { to: ['DEPLOYED', 'UPGRADED'] },
    UPGRADED: { to: ['DEPLOYED', 'UPGRADED'] },
  },
});
