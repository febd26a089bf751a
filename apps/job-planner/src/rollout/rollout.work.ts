import { jobWork, type CommandOutcome, type JobTaskStatus, type WorkBatch } from '@muster/contracts';
import { Journal, type Tx } from '@muster/journal';
import { Work } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { countEnds } from '../jobs/job.advance.js';
import { JobRunner } from '../jobs/job.runner.js';
import { JobStore } from '../jobs/job.store.js';
import { jobTaskTable } from './job-task.table.js';

const END = {
  SUCCESS: { state: 'Successful', counts: 'succeeded' },
  FAILURE: { state: 'Failed', counts: 'failed' },
  TIMEOUT: { state: 'Timed_out', counts: 'timed_out' },
  CANCELLED: { state: 'Stopped', counts: 'cancelled' },
} as const satisfies Record<CommandOutcome, { state: JobTaskStatus; counts: string }>;

/** A task keeps the beginning of its command's reason; the whole of it stays with the command. */
const REASON_LENGTH = 512;

type Batch = WorkBatch<typeof jobWork.outcome>;

/** What commands came to: ends their tasks and moves the job's counts by what really ended. */
@Controller()
export class OutcomesWork {
  constructor(
    private readonly journal: Journal,
    private readonly jobs: JobStore,
    private readonly runner: JobRunner,
  ) {}

  @Work(jobWork.outcome, { concurrency: 3 })
  async onOutcome(batch: Batch): Promise<void> {
    const key = { project_id: batch.project_id, id: batch.head.request_id };
    await this.journal.transaction(batch.project_id, (tx) => this.apply(tx, key.id, batch.items));
    this.runner.wake(key);
  }

  private async apply(tx: Tx, jobId: string, items: Batch['items']): Promise<void> {
    const job = await this.jobs.lock(tx, jobId);
    if (!job) return;
    const changes: Record<string, number> = {};
    for (const [status, outcomes] of Map.groupBy(items, (item) => item.status)) {
      const { state, counts } = END[status];
      const moved = await tx.transition(jobTaskTable, state, {
        ids: outcomes.map((outcome) => outcome.ref),
        each: { reason: outcomes.map((outcome) => (outcome.reason || outcome.code).slice(0, REASON_LENGTH)) },
        given: { command: { type: 'uuid', values: outcomes.map((outcome) => outcome.command_id) } },
        guard: 't.command_id = i.command',
        from: ['Running', 'Stopping'],
      });
      for (const [name, change] of Object.entries(countEnds(moved, counts)))
        changes[name] = (changes[name] ?? 0) + change;
    }
    await this.jobs.count(tx, jobId, changes);
  }
}
