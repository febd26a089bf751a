import { DomainError, type JobAction, type JobStatus } from '@muster/contracts';
import { Journal } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { isEnd } from '@muster/lifecycle';
import { judgeAction } from './job.decide.js';
import { jobLifecycle } from './job.lifecycle.js';
import { JobRunner } from './job.runner.js';
import { JobStore, type JobKey } from './job.store.js';
import { jobTable } from './job.table.js';

const REASONS: Record<JobAction, string> = { pause: 'paused', restore: '', retry: '', cancel: 'cancelled' };

/** What users do to a job. Each action is decided under the job's lock and carried out by the runner. */
@Injectable()
export class JobAct {
  constructor(
    private readonly journal: Journal,
    private readonly jobs: JobStore,
    private readonly runner: JobRunner,
  ) {}

  /** @throws DomainError `not_found`, or `conflict` when the job's status does not allow it; nothing changes then. */
  async act(key: JobKey, action: JobAction): Promise<JobStatus> {
    const status = await this.journal.transaction(key.project_id, async (tx) => {
      const job = await this.jobs.lock(tx, key.id);
      if (!job) throw notFound(key.id);
      const verdict = judgeAction(action, job);
      if (verdict === null) return job.state;
      if ('refused' in verdict) throw new DomainError('conflict', verdict.refused);
      if (verdict.to === job.state) {
        await this.jobs.saveWish(tx, key.id, verdict.wish, REASONS[action]);
        return job.state;
      }
      const retry = action === 'retry';
      await tx.transition(jobTable, verdict.to, {
        ids: [key.id],
        set: {
          wish: verdict.wish,
          reason: REASONS[action],
          reopening: retry || job.reopening,
          round: job.round + (retry ? 1 : 0),
        },
        compute: { due_at: 'now()' },
      });
      return verdict.to;
    });
    this.runner.wake(key);
    return status;
  }

  /** @throws DomainError `conflict` while the job is Waiting, Running or Stopping. */
  async delete(key: JobKey): Promise<void> {
    await this.journal.transaction(key.project_id, async (tx) => {
      const job = await this.jobs.lock(tx, key.id);
      if (!job) throw notFound(key.id);
      if (!isEnd(jobLifecycle, job.state))
        throw new DomainError('conflict', `a job that is ${job.state} cannot be deleted`);
      await this.jobs.delete(tx, key.id);
    });
  }
}

export const notFound = (id: string) => new DomainError('not_found', `job ${id} does not exist`);
