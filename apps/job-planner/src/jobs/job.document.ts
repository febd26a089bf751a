import type { Job, JobStatus, JobSummary, JobTask, Progress } from '@muster/contracts';
import { JsonText } from '@muster/messaging';
import type { JobTaskEntity } from '../tasks/job-task.entity.js';
import type { JobEntity } from './job.entity.js';

const epochSeconds = (date: Date) => Math.floor(date.getTime() / 1000);

export function progressOf(job: JobEntity): Progress {
  const ended = job.succeeded + job.failed + job.timed_out + job.cancelled;
  return {
    targeted: job.task_total,
    pending: job.pending,
    in_flight: job.in_flight,
    succeeded: job.succeeded,
    failed: job.failed,
    timed_out: job.timed_out,
    cancelled: job.cancelled,
    percent: job.task_total === 0 ? 0 : Math.floor((ended * 1000) / job.task_total) / 10,
  };
}

/** A job without its tasks (seed 003, list). */
export function toSummary(job: JobEntity): JobSummary {
  return {
    job_id: job.id,
    job_name: job.job_name,
    job_type: job.job_type,
    description: job.description,
    tags: job.tags,
    target_type: job.target_type,
    status: job.state,
    reason: job.reason,
    created_at: epochSeconds(job.created_at),
    status_last_updated_at: epochSeconds(job.state_at),
    task_total_count: job.task_total,
    task_failed_count: job.failed + job.timed_out,
    task_success_count: job.succeeded,
    progress: progressOf(job),
  };
}

/** What is shown of a task. `created_at`: epoch seconds. */
export type ShownTask = Pick<
  JobTaskEntity,
  'id' | 'task_name' | 'target_id' | 'target_name' | 'state' | 'reason' | 'deployment_id'
> & { created_at: number };

/** One task (seed 003, "Task"). A deploy task shows its deployment once it has succeeded. */
export function toTask(task: ShownTask): JobTask {
  const deployed = task.deployment_id !== null && task.state === 'Successful';
  return {
    task_name: task.task_name,
    task_id: task.id,
    target_id: task.target_id,
    status: task.state,
    created_at: task.created_at,
    reason: task.reason,
    extension_info: deployed ? [{ key: 'deployment_id', value: task.deployment_id! }] : [],
  };
}

const toTarget = ({ target_id, target_name }: ShownTask): Job['targets'][number] => ({
  target_id,
  extension_info: [{ key: 'node_name', value: target_name }],
});

/** Most bytes of tasks that one answer carries: the bus takes no message above 1 MiB. */
const MAX_BYTES = 512 * 1024;

/** As many of the tasks, from the first, as one answer may carry, each as JSON text. */
export function fitting(tasks: readonly ShownTask[]): string[] {
  const texts: string[] = [];
  let bytes = 0;
  for (const task of tasks) {
    const text = JSON.stringify(toTask(task));
    bytes += Buffer.byteLength(text) + Buffer.byteLength(task.target_name);
    if (bytes > MAX_BYTES && texts.length > 0) break;
    texts.push(text);
  }
  return texts;
}

/**
 * The document of seed 003 as JSON text. `tasks`: all tasks of the job, or the first of them when there are too many. Each is written once:
 * the document is read often while a job runs, and a thousand tasks are nearly all of it.
 */
export function jobText(job: JobEntity, tasks: readonly ShownTask[]): JsonText<Job> {
  const texts = fitting(tasks);
  const rest: Omit<Job, 'tasks' | 'targets'> = {
    ...toSummary(job),
    task_data: job.task_data,
    rollout: job.rollout,
    ...(texts.length < job.task_total ? { tasks_truncated: true as const } : {}),
    ...(job.tasks_deleted_at ? { tasks_deleted_at: epochSeconds(job.tasks_deleted_at) } : {}),
  };
  const targets = JSON.stringify(tasks.slice(0, texts.length).map(toTarget));
  return new JsonText(`${JSON.stringify(rest).slice(0, -1)},"tasks":[${texts.join(',')}],"targets":${targets}}`);
}

/** How many of a job's tasks are in a status: from its counts, never counted again. */
export function countIn(job: JobEntity, status: JobStatus | undefined): number {
  switch (status) {
    case undefined:
      return job.task_total;
    case 'Waiting':
      return job.pending;
    case 'Running':
      return job.in_flight - job.stopping;
    case 'Stopping':
      return job.stopping;
    case 'Stopped':
      return job.cancelled;
    case 'Successful':
      return job.succeeded;
    case 'Failed':
      return job.failed;
    case 'Timed_out':
      return job.timed_out;
    case 'Partially_successful':
      return 0;
  }
}
