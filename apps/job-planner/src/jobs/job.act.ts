import { DomainError, type JobAction, type JobStatus } from '@muster/contracts';
import { Journal, type Tx } from '@muster/journal';
import { isEnd } from '@muster/lifecycle';
import { Injectable } from '@nestjs/common';
import { Approvals } from '../approvals/approvals.js';
import type { LockedRollout } from '../rollout/locked-rollout.js';
import { hasRunOut } from '../rollout/rollout.decide.js';
import { RolloutStore } from '../rollout/rollout.store.js';
import { RolloutWake } from '../rollout/rollout.wake.js';
import { goOn, tryAgain, want } from '../rollout/rollout.wish.js';
import { unapprovedWave } from '../rollout/wave.gate.js';
import { judgeAction } from './job.decide.js';
import { jobLifecycle } from './job.lifecycle.js';
import { JobStore, type JobKey, type Standing } from './job.store.js';
import { jobTable } from './job.table.js';

const REASONS: Record<JobAction, string> = { pause: 'paused', restore: '', retry: '', cancel: 'cancelled' };

/** What users do to a job. Each action is decided under the lock of its rollout and carried out by that. */
@Injectable()
export class JobAct {
  constructor(
    private readonly journal: Journal,
    private readonly jobs: JobStore,
    private readonly rollouts: RolloutStore,
    private readonly wake: RolloutWake,
    private readonly approvals: Approvals,
  ) {}

  /** @throws DomainError `not_found`, or `conflict` when the job's status does not allow it; nothing changes then. */
  async act(key: JobKey, action: JobAction): Promise<JobStatus> {
    const status = await this.journal.transaction(key.project_id, async (tx) => {
      const [job, rollout] = await this.lock(tx, key);
      const { spec, wish } = rollout.row;
      const over = hasRunOut({ spec, now: rollout.now });
      const verdict = judgeAction(action, { ...job, wish, over });
      if (verdict === null) return job.state;
      if ('refused' in verdict) throw new DomainError('conflict', verdict.refused);
      const unapproved = unapprovedWave(spec.waves ?? [], rollout.row.waves);
      if (action === 'retry' && unapproved !== undefined)
        throw new DomainError('conflict', `wave ${unapproved} has never been approved: a retry would pass it over`);
      const reason = REASONS[action];
      want(rollout, verdict.wish, reason);
      if (action === 'restore') goOn(rollout);
      if (action === 'retry') tryAgain(rollout);
      await rollout.save(tx);
      if (verdict.to === job.state) await this.jobs.explain(tx, key.id, reason);
      else await tx.transition(jobTable, verdict.to, { ids: [key.id], set: { reason, cancelled: false } });
      return verdict.to;
    });
    this.wake.wake(key);
    return status;
  }

  /** @throws DomainError `conflict` while the job is Waiting, Running or Stopping, or is to tell what its rollback brings back. */
  async delete(key: JobKey): Promise<void> {
    await this.journal.transaction(key.project_id, async (tx) => {
      const [job] = await this.lock(tx, key);
      if (!isEnd(jobLifecycle, job.state))
        throw new DomainError('conflict', `a job that is ${job.state} cannot be deleted`);
      const rollback = job.rollback_job_id && (await this.rollouts.lock(tx, job.rollback_job_id));
      if (rollback && !rollback.row.planned && (!rollback.row.at_rest || rollback.row.wish === 'pause'))
        throw new DomainError('conflict', `job ${rollback.id} has yet to find out what it is to bring back`);
      await this.approvals.withdraw(tx, key.id);
      await this.jobs.delete(tx, key.id);
    });
  }

  private async lock(tx: Tx, { id }: JobKey): Promise<[Standing, LockedRollout]> {
    const rollout = await this.rollouts.lock(tx, id);
    const job = rollout && (await this.jobs.status(tx, id));
    if (!job || !rollout) throw notFound(id);
    return [job, rollout];
  }
}

export const notFound = (id: string) => new DomainError('not_found', `job ${id} does not exist`);
