import { approvals, type Approval } from '@muster/contracts';
import { vi } from 'vitest';
import { PROJECT, type RunningPlanner } from './running-planner.js';

/** Who decides, unless a test says otherwise: somebody else than who asked. */
export const APPROVER = '01890000-0000-7000-8000-000000000002';

/** The approvals that nobody has decided yet. */
export async function pendingApprovals({ service }: RunningPlanner): Promise<Approval[]> {
  const request = { project_id: PROJECT, state: 'pending', limit: 1000 } as const;
  return (await service.call(approvals.listApprovals, request)).approvals;
}

/** The approval that something waits for, once it does. */
export const approvalOf = (planner: RunningPlanner, subject: string): Promise<Approval> =>
  vi.waitUntil(async () => (await pendingApprovals(planner)).find((one) => one.subject.id === subject));

export const decide = (
  { service }: RunningPlanner,
  id: string,
  decision: 'approve' | 'reject',
  { by = APPROVER, own_allowed = false, comment = 'looked at it' } = {},
): Promise<Approval> =>
  service.call(approvals.decideApproval, { project_id: PROJECT, id, decision, comment, by, own_allowed });
