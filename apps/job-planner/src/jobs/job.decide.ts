import type { JobAction, JobStatus } from '@muster/contracts';
import type { Wish } from '../rollout/rollout.decide.js';
import { ended, type Result } from '../rollout/tally.js';

/**
 * The status of a job whose tasks have all ended (interfaces §1): all succeeded → Successful; none succeeded → Failed, or Timed_out if time ran
 * out for every one; else Partially_successful. A job without any task is Failed: it did nothing. Where it is `cut`, time ran out for devices that
 * have no task.
 */
export function derivedStatus(result: Result): JobStatus {
  const { succeeded, timed_out, unknown, cut } = result;
  const total = ended(result);
  if (total > 0 && succeeded === total && !cut) return 'Successful';
  if (succeeded > 0) return 'Partially_successful';
  return (total > 0 || cut) && timed_out + unknown === total ? 'Timed_out' : 'Failed';
}

/** What an action makes of a job, `null` when it is already so, or why it is refused. */
export type ActionVerdict = { to: JobStatus; wish: Wish } | null | { refused: string };

/** What a verdict on an action depends on. */
export interface ActionFacts {
  state: JobStatus;
  wish: Wish;
  tasks_deleted_at: Date | null;
  /** The time is over in which its devices may begin. */
  over: boolean;
}

/**
 * What a user may do from which status (interfaces §1). Cancel is ours and may be repeated. A job whose tasks are deleted, or whose time is over,
 * has nothing left to retry; one that was cancelled or is brought back does not go on.
 */
export function judgeAction(action: JobAction, { state, wish, tasks_deleted_at, over }: ActionFacts): ActionVerdict {
  const refused = (allowed: string) => ({ refused: `a job that is ${state} cannot be told to ${action}; ${allowed}` });
  switch (action) {
    case 'pause':
      return state === 'Waiting' || state === 'Running'
        ? { to: 'Stopping', wish: 'pause' }
        : refused('only a Waiting or Running one can');
    case 'restore':
      if (state === 'Stopped' && (wish === 'cancel' || wish === 'rollback'))
        return { refused: `the job was ${wish === 'cancel' ? 'cancelled' : 'rolled back'} and cannot be restored` };
      return state === 'Stopped' ? { to: 'Running', wish: 'run' } : refused('only a Stopped one can');
    case 'retry':
      if (tasks_deleted_at) return { refused: `${tasksDeleted(tasks_deleted_at)}: there is nothing left to retry` };
      if (over) return { refused: 'end_at of the job has passed' };
      return state === 'Failed' || state === 'Partially_successful' || state === 'Timed_out'
        ? { to: 'Running', wish: 'run' }
        : refused('only a Failed, Partially_successful or Timed_out one can');
    case 'cancel':
      if (wish === 'cancel' || wish === 'rollback') return null;
      return ['Waiting', 'Running', 'Stopping', 'Stopped'].includes(state)
        ? { to: 'Stopping', wish: 'cancel' }
        : refused('it has ended');
  }
}

/** Says to people that a job has no tasks any more. */
export const tasksDeleted = (at: Date) => `the tasks of the job were deleted on ${at.toISOString().slice(0, 10)}`;
