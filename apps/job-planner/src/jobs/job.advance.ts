import { BATCH_SIZE, commandWork, type JobStatus } from '@muster/contracts';
import { Journal, type Moved, type Tx } from '@muster/journal';
import { inSpan, traceContext } from '@muster/messaging';
import { Injectable } from '@nestjs/common';
import { SpanKind } from '@opentelemetry/api';
import { DataSource } from 'typeorm';
import { v7 as uuid } from 'uuid';
import { FIRST_ASK_AT, JobTaskStore } from '../tasks/job-task.store.js';
import { jobTaskTable } from '../tasks/job-task.table.js';
import { cancelHead, cancelItem, REQUESTED, requestHead, requestItems } from './job.ask.js';
import { nextStep, type JobStep } from './job.decide.js';
import { JobEntity } from './job.entity.js';
import { JobPlan } from './job.plan.js';
import { JobStore, type CountChanges, type JobKey, type LockedJob } from './job.store.js';
import { jobTable } from './job.table.js';

/** Carries out the steps of a job, each in a transaction of its own that holds the job's lock. */
@Injectable()
export class JobAdvance {
  constructor(
    private readonly dataSource: DataSource,
    private readonly journal: Journal,
    private readonly jobs: JobStore,
    private readonly tasks: JobTaskStore,
    private readonly plan: JobPlan,
  ) {}

  /** Takes steps until the job has to wait for others. */
  async advance(key: JobKey): Promise<void> {
    const { project_id, id } = key;
    const job = await this.dataSource
      .getRepository(JobEntity)
      .findOne({ where: { project_id, id }, select: { project_id: true, id: true, traceparent: true } });
    if (!job) return;
    await inSpan('job advance', SpanKind.INTERNAL, traceContext(job.traceparent), async () => {
      for (;;) {
        const step = await this.step(key);
        if (!step || step.do === 'wait') return;
        if (step.do === 'plan') await this.planPage(key);
      }
    });
  }

  private async planPage(key: JobKey): Promise<void> {
    const job = await this.dataSource.getRepository(JobEntity).findOneBy({ project_id: key.project_id, id: key.id });
    if (job) await this.plan.nextPage(job);
  }

  /** One step, decided and done under the job's lock; planning alone is left to the caller, for it asks another service first. */
  private step(key: JobKey): Promise<JobStep | undefined> {
    return this.journal.transaction(key.project_id, async (tx) => {
      const job = await this.jobs.lock(tx, key.id);
      if (!job) return undefined;
      const step = nextStep(job);
      switch (step.do) {
        case 'release':
          await this.release(tx, job, step.count);
          break;
        case 'reopen':
          await this.reopen(tx, job);
          break;
        case 'stop_pending':
          await this.stopPending(tx, job);
          break;
        case 'stop_in_flight':
          await this.stopInFlight(tx, job);
          break;
        case 'end':
          await this.end(tx, job, step.state);
          break;
        case 'plan':
        case 'wait':
          break;
      }
      return step;
    });
  }

  private async release(tx: Tx, job: LockedJob, count: number): Promise<void> {
    const ids = await this.tasks.waiting(tx, job.id, count);
    const moved = await tx.transition(jobTaskTable, 'Running', {
      ids,
      each: { command_id: ids.map(() => uuid()) },
      set: { asks: 0 },
      compute: { ask_at: FIRST_ASK_AT },
      returning: REQUESTED,
    });
    tx.work(commandWork.request, requestHead(job), requestItems(moved), job.traceparent ?? undefined);
    await this.jobs.count(tx, job.id, { pending: -moved.length, in_flight: moved.length });
    if (job.state === 'Waiting') await tx.transition(jobTable, 'Running', { ids: [job.id] });
  }

  private async reopen(tx: Tx, job: LockedJob): Promise<void> {
    const ids = await this.tasks.reopenable(tx, job.id, job.round, BATCH_SIZE);
    if (ids.length === 0) {
      await this.jobs.endReopening(tx, job.id);
      return;
    }
    const moved = await tx.transition(jobTaskTable, 'Waiting', { ids, set: { round: job.round, command_id: null } });
    const from = (state: string) => -moved.filter((task) => task.from === state).length;
    await this.jobs.count(tx, job.id, {
      pending: moved.length,
      failed: from('Failed'),
      timed_out: from('Timed_out'),
      cancelled: from('Stopped'),
    });
  }

  private async stopPending(tx: Tx, job: LockedJob): Promise<void> {
    const ids = await this.tasks.waiting(tx, job.id, BATCH_SIZE);
    const moved = await tx.transition(jobTaskTable, 'Stopped', { ids, from: ['Waiting'], set: { reason: job.reason } });
    await this.jobs.count(tx, job.id, { pending: -moved.length, cancelled: moved.length });
  }

  private async stopInFlight(tx: Tx, job: LockedJob): Promise<void> {
    const ids = await this.tasks.running(tx, job.id, BATCH_SIZE);
    const moved = await tx.transition(jobTaskTable, 'Stopping', {
      ids,
      set: { reason: job.reason, asks: 0 },
      compute: { ask_at: FIRST_ASK_AT },
      returning: ['command_id'],
    });
    const items = moved.map(({ id, row }) => cancelItem({ id, command_id: row['command_id'] as string }));
    tx.work(commandWork.cancel, cancelHead(job), items, job.traceparent ?? undefined);
    await this.jobs.count(tx, job.id, { stopping: moved.length });
  }

  private async end(tx: Tx, job: LockedJob, state: JobStatus): Promise<void> {
    // A job that never released anything passes through Running, as its table says.
    if (job.state === 'Waiting' && state !== 'Failed') await tx.transition(jobTable, 'Running', { ids: [job.id] });
    await tx.transition(jobTable, state, {
      ids: [job.id],
      set: { due_at: null, reason: job.task_total === 0 ? 'no device to work on' : job.reason },
    });
  }
}

/** What the end of tasks does to the counts of their job. */
export function countEnds(
  moved: readonly Moved[],
  into: 'succeeded' | 'failed' | 'timed_out' | 'cancelled',
): CountChanges {
  return {
    in_flight: -moved.length,
    stopping: -moved.filter((task) => task.from === 'Stopping').length,
    [into]: moved.length,
  };
}
