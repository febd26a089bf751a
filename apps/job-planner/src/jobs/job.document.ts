import type { Job, JobSummary, JobTask, Progress } from '@muster/contracts';
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

/** One task (seed 003, "Task"). A deploy task shows its deployment once it has succeeded. */
export function toTask(task: JobTaskEntity): JobTask {
  const deployed = task.deployment_id !== null && task.state === 'Successful';
  return {
    task_name: task.task_name,
    task_id: task.id,
    target_id: task.target_id,
    status: task.state,
    created_at: epochSeconds(task.created_at),
    reason: task.reason,
    extension_info: deployed ? [{ key: 'deployment_id', value: task.deployment_id! }] : [],
  };
}

/** The document of seed 003; `tasks` are all tasks of the job, or the first of them when there are too many. */
export function toJob(job: JobEntity, tasks: readonly JobTaskEntity[]): Job {
  return {
    ...toSummary(job),
    task_data: job.task_data,
    rollout: job.rollout,
    tasks: tasks.map(toTask),
    targets: tasks.map((task) => ({
      target_id: task.target_id,
      extension_info: [{ key: 'node_name', value: task.target_name }],
    })),
    ...(tasks.length < job.task_total ? { tasks_truncated: true as const } : {}),
  };
}
