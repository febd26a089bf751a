import type { Job, JobStatus, JobSummary, JobTask } from '@muster/contracts';
import { JsonText } from '@muster/messaging';
import { progressOf, type Watched } from '../rollout/progress.js';
import { targeted } from '../rollout/tally.js';
import type { JobTaskEntity } from '../tasks/job-task.entity.js';
import type { JobEntity } from './job.entity.js';

export const epochSeconds = (date: Date) => Math.floor(date.getTime() / 1000);

/** A job without its tasks (seed 003, list). */
export function toSummary(job: JobEntity, rollout: Watched): JobSummary {
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
    task_total_count: targeted(rollout),
    task_failed_count: rollout.failed + rollout.rejected + rollout.timed_out + rollout.unknown,
    task_success_count: rollout.succeeded,
    progress: progressOf(rollout, Date.now()),
  };
}

/** What is shown of a task. `created_at`: epoch seconds. */
export type ShownTask = Pick<
  JobTaskEntity,
  'id' | 'task_name' | 'target_id' | 'target_name' | 'node_name' | 'state' | 'reason' | 'deployment_id'
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

type Target = Job['targets'][number];

/** The target of a task (seed 003, "Target"); of a deployment also the device that it is on. */
const toTarget = ({ target_id, target_name, node_name }: ShownTask): Target => ({
  target_id,
  extension_info:
    node_name === null
      ? [{ key: 'node_name', value: target_name }]
      : [
          { key: 'deployment_name', value: target_name },
          { key: 'node_name', value: node_name },
        ],
});

const toGroup = ({ id, name }: JobEntity['target_groups'][number]): Target => ({
  target_id: id,
  extension_info: [{ key: 'node_group_name', value: name }],
});

/** Most bytes of tasks that one answer carries: the bus takes no message above 1 MiB. */
const MAX_BYTES = 512 * 1024;

/** As many of the tasks, from the first, as one answer may carry, each as JSON text. */
export function fitting(tasks: readonly ShownTask[]): string[] {
  const texts: string[] = [];
  let bytes = 0;
  for (const task of tasks) {
    const text = JSON.stringify(toTask(task));
    bytes += Buffer.byteLength(text) + Buffer.byteLength(task.target_name) + Buffer.byteLength(task.node_name ?? '');
    if (bytes > MAX_BYTES && texts.length > 0) break;
    texts.push(text);
  }
  return texts;
}

/**
 * The document of seed 003 as JSON text. `tasks`: all tasks of the job, or the first of them when there are too many. Each is written once:
 * the document is read often while a job runs, and a thousand tasks are nearly all of it.
 */
export function jobText(job: JobEntity, rollout: Watched, tasks: readonly ShownTask[]): JsonText<Job> {
  const texts = fitting(tasks);
  const rest: Omit<Job, 'tasks' | 'targets'> = {
    ...toSummary(job, rollout),
    task_data: job.task_data,
    rollout: rollout.spec,
    rollback_of: job.rollback_of,
    rollback_job_id: job.rollback_job_id,
    ...(texts.length < targeted(rollout) ? { tasks_truncated: true as const } : {}),
    ...(job.tasks_deleted_at ? { tasks_deleted_at: epochSeconds(job.tasks_deleted_at) } : {}),
  };
  const ofTasks = tasks.slice(0, texts.length).map(toTarget);
  const targets = JSON.stringify(job.target_type === 'node_group' ? job.target_groups.map(toGroup) : ofTasks);
  return new JsonText(`${JSON.stringify(rest).slice(0, -1)},"tasks":[${texts.join(',')}],"targets":${targets}}`);
}

/** How many of a job's tasks are in a status: from its counts, never counted again. */
export function countIn(rollout: Watched, status: JobStatus | undefined): number {
  switch (status) {
    case undefined:
      return targeted(rollout);
    case 'Waiting':
      return rollout.pending + rollout.offline;
    case 'Running':
      return rollout.in_flight - rollout.stopping;
    case 'Stopping':
      return rollout.stopping;
    case 'Stopped':
      return rollout.cancelled;
    case 'Successful':
      return rollout.succeeded;
    case 'Failed':
      return rollout.failed + rollout.rejected;
    case 'Timed_out':
      return rollout.timed_out + rollout.unknown;
    case 'Partially_successful':
      return 0;
  }
}
