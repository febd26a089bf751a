import type { Job, JobTask, JobTaskStatus } from '@muster/contracts';
import { expect } from 'vitest';
import type { Stack } from '../harness/stack.js';

export const JOBS = '/v2/demo/productmgr/jobs';

/** All tasks of a job, read page by page. */
export async function tasksOf(stack: Stack, id: string): Promise<JobTask[]> {
  const tasks: JobTask[] = [];
  for (let marker: string | null = ''; marker !== null;) {
    const query: string = marker && `&marker=${marker}`;
    const { status, body } = await stack.api<{ tasks: JobTask[]; next_marker: string | null }>(
      'GET',
      `${JOBS}/${id}/tasks?limit=1000${query}`,
    );
    if (status !== 200) throw new Error(`tasks of ${id}: ${status} ${JSON.stringify(body)}`);
    tasks.push(...body.tasks);
    marker = body.next_marker;
  }
  return tasks;
}

/** The counts of a job's document, put together as far as the statuses of tasks tell them apart. */
function countsOf({ progress, ...job }: Job) {
  return {
    total: [job.task_total_count, progress.targeted],
    succeeded: [job.task_success_count, progress.succeeded],
    failed: job.task_failed_count,
    byStatus: {
      Waiting: progress.pending + progress.offline,
      'Running or Stopping': progress.in_flight,
      Successful: progress.succeeded,
      Failed: progress.failed + progress.rejected,
      Timed_out: progress.timed_out + progress.unknown,
      Stopped: progress.cancelled,
    },
  };
}

/** The same, counted. */
function recount(tasks: readonly JobTask[]): ReturnType<typeof countsOf> {
  const of = (...statuses: JobTaskStatus[]) =>
    tasks.filter(({ status }) => statuses.some((one) => one === status)).length;
  const total = tasks.length;
  return {
    total: [total, total],
    succeeded: [of('Successful'), of('Successful')],
    failed: of('Failed', 'Timed_out'),
    byStatus: {
      Waiting: of('Waiting'),
      'Running or Stopping': of('Running', 'Stopping'),
      Successful: of('Successful'),
      Failed: of('Failed'),
      Timed_out: of('Timed_out'),
      Stopped: of('Stopped'),
    },
  };
}

/** Expects that the counts of a document are those of the tasks that were read with it. */
export const expectExact = (job: Job, tasks: readonly JobTask[]): void => expect(countsOf(job)).toEqual(recount(tasks));
