import type { ApprovalState } from '@muster/contracts';
import { defineLifecycle } from '@muster/lifecycle';

/** An approval: decided once, or withdrawn with what asked for it. */
export const approvalLifecycle = defineLifecycle<ApprovalState>({
  entity: 'approval',
  initial: 'pending',
  states: {
    pending: { to: ['approved', 'rejected', 'withdrawn'] },
    approved: { to: [], ends: true },
    rejected: { to: [], ends: true },
    withdrawn: { to: [], ends: true },
  },
});
