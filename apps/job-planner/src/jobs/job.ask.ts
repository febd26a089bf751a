import { commandWork, jobWork, type JsonObject, type WorkHead, type WorkItem } from '@muster/contracts';
import type { LockedJob } from './job.store.js';
import type { Askable } from '../tasks/job-task.store.js';

/** How long a task's command may take where the job does not say. */
export const TIMEOUT_DEFAULTS = { in_progress_seconds: 3_600, offline_seconds: 604_800 };
const DEFAULT_PRIORITY = 0;

/** What the commands of a job share: the job is the request. */
export function requestHead(job: LockedJob): WorkHead<typeof commandWork.request> {
  const { rollout } = job;
  return {
    request_id: job.id,
    command: job.job_type,
    args: sharedArgs(job),
    in_progress_seconds: rollout.timeout?.in_progress_seconds ?? TIMEOUT_DEFAULTS.in_progress_seconds,
    offline_seconds: rollout.timeout?.offline_seconds ?? TIMEOUT_DEFAULTS.offline_seconds,
    priority: rollout.priority ?? DEFAULT_PRIORITY,
    reply_to: jobWork.outcome.subject,
  };
}

function sharedArgs(job: LockedJob): JsonObject {
  const document: unknown = job.task_data ? JSON.parse(job.task_data) : {};
  return {
    job_id: job.id,
    job_name: job.job_name,
    [job.job_type === 'deployment_deploy' ? 'deployment' : 'upgrade']: document,
  };
}

/** One task's command. */
export const requestItem = (task: Omit<Askable, 'state'>): WorkItem<typeof commandWork.request> => ({
  command_id: task.command_id,
  device_id: task.target_id,
  ref: task.id,
  args: task.deployment_id ? { deployment_id: task.deployment_id } : {},
});

/** What {@link requestItems} needs of a task. */
export const REQUESTED = ['target_id', 'command_id', 'deployment_id'] as const;

/** The commands of tasks that have just started. */
export const requestItems = (started: readonly { id: string; row: Record<string, unknown> }[]) =>
  started.map(({ id, row }) => requestItem({ ...(row as Omit<Askable, 'id' | 'state'>), id }));

/** What the cancels of a job's commands share. */
export const cancelHead = (job: LockedJob): WorkHead<typeof commandWork.cancel> => ({
  request_id: job.id,
  reason: job.reason,
  reply_to: jobWork.outcome.subject,
});

/** The cancel of one task's command. */
export const cancelItem = (task: Pick<Askable, 'id' | 'command_id'>): WorkItem<typeof commandWork.cancel> => ({
  command_id: task.command_id,
  ref: task.id,
});
