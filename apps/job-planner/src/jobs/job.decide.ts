import { BATCH_SIZE, type JobAction, type JobStatus } from '@muster/contracts';

/** What the user wants of a job. */
export type Wish = 'run' | 'pause' | 'cancel';

/** How many tasks of a job are where; together they are all its tasks. `in_flight` includes `stopping`. */
export interface Counts {
  pending: number;
  in_flight: number;
  stopping: number;
  succeeded: number;
  failed: number;
  timed_out: number;
  cancelled: number;
}

/** All that the next step of a job depends on. */
export interface JobFacts extends Counts {
  state: JobStatus;
  wish: Wish;
  /** All targets have their task. */
  planned: boolean;
  /** A retry is going over the tasks that did not succeed. */
  reopening: boolean;
  max_in_flight: number;
}

/** The next thing to do for a job; every step touches at most {@link BATCH_SIZE} tasks. */
export type JobStep =
  | { do: 'plan' }
  | { do: 'reopen' }
  | { do: 'release'; count: number }
  | { do: 'stop_pending' }
  | { do: 'stop_in_flight' }
  | { do: 'end'; state: JobStatus }
  | { do: 'wait' };

const WAIT: JobStep = { do: 'wait' };

/** Decides from numbers alone what a job does next. */
export function nextStep(job: JobFacts): JobStep {
  switch (job.state) {
    case 'Waiting':
    case 'Running':
      return goOn(job);
    case 'Stopping':
      return job.wish === 'cancel' ? cancel(job) : drain(job);
    default:
      return WAIT;
  }
}

function goOn(job: JobFacts): JobStep {
  if (job.reopening) return { do: 'reopen' };
  const count = Math.min(job.max_in_flight - job.in_flight, job.pending, BATCH_SIZE);
  if (count > 0) return { do: 'release', count };
  if (!job.planned) return { do: 'plan' };
  return job.pending + job.in_flight === 0 ? { do: 'end', state: derivedStatus(job) } : WAIT;
}

/**
 * How many of `created` tasks, just planned, start as they are born: as many as the job has slots for, unless older ones wait or the job is
 * not to go on.
 */
export function startsAtBirth(job: JobFacts, created: number): number {
  const goesOn = (job.state === 'Waiting' || job.state === 'Running') && job.wish === 'run' && !job.reopening;
  return goesOn && job.pending === 0 ? Math.max(0, Math.min(job.max_in_flight - job.in_flight, created)) : 0;
}

function drain(job: JobFacts): JobStep {
  return job.in_flight === 0 ? { do: 'end', state: 'Stopped' } : WAIT;
}

function cancel(job: JobFacts): JobStep {
  if (job.pending > 0) return { do: 'stop_pending' };
  if (job.in_flight > job.stopping) return { do: 'stop_in_flight' };
  return drain(job);
}

/**
 * The status of a job whose tasks have all ended (interfaces §1): all succeeded → Successful; none succeeded → Failed, or Timed_out if time ran
 * out for every one; else Partially_successful. A job without any task is Failed: it did nothing.
 */
export function derivedStatus({ succeeded, failed, timed_out, cancelled }: Counts): JobStatus {
  const total = succeeded + failed + timed_out + cancelled;
  if (total > 0 && succeeded === total) return 'Successful';
  if (succeeded > 0) return 'Partially_successful';
  return total > 0 && timed_out === total ? 'Timed_out' : 'Failed';
}

/** What an action makes of a job, `null` when it is already so, or why it is refused. */
export type ActionVerdict = { to: JobStatus; wish: Wish } | null | { refused: string };

/**
 * What a user may do from which status (interfaces §1). Cancel is ours and may be repeated. A job whose tasks are deleted has nothing left to
 * retry.
 */
export function judgeAction(
  action: JobAction,
  { state, wish, tasks_deleted_at }: { state: JobStatus; wish: Wish; tasks_deleted_at: Date | null },
): ActionVerdict {
  const refused = (allowed: string) => ({ refused: `a job that is ${state} cannot be told to ${action}; ${allowed}` });
  switch (action) {
    case 'pause':
      return state === 'Waiting' || state === 'Running'
        ? { to: 'Stopping', wish: 'pause' }
        : refused('only a Waiting or Running one can');
    case 'restore':
      if (state === 'Stopped' && wish === 'cancel') return { refused: 'the job was cancelled and cannot be restored' };
      return state === 'Stopped' ? { to: 'Running', wish: 'run' } : refused('only a Stopped one can');
    case 'retry':
      if (tasks_deleted_at) return { refused: `${tasksDeleted(tasks_deleted_at)}: there is nothing left to retry` };
      return state === 'Failed' || state === 'Partially_successful' || state === 'Timed_out'
        ? { to: 'Running', wish: 'run' }
        : refused('only a Failed, Partially_successful or Timed_out one can');
    case 'cancel':
      if (wish === 'cancel') return null;
      return ['Waiting', 'Running', 'Stopping', 'Stopped'].includes(state)
        ? { to: 'Stopping', wish: 'cancel' }
        : refused('it has ended');
  }
}

/** Says to people that a job has no tasks any more. */
export const tasksDeleted = (at: Date) => `the tasks of the job were deleted on ${at.toISOString().slice(0, 10)}`;
