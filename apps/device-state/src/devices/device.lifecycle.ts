import type { deviceEntity, StateOf } from '@muster/contracts';
import { defineLifecycle } from '@muster/lifecycle';

/** A device comes and goes for as long as it is registered: no state ends it. */
export const deviceLifecycle = defineLifecycle<StateOf<typeof deviceEntity>>({
  entity: 'device',
  initial: 'REGISTERED',
  states: {
    REGISTERED: { to: ['ONLINE'] },
    ONLINE: { to: ['OFFLINE'] },
    OFFLINE: { to: ['ONLINE'] },
  },
});
