import { commandWork, jobEntity, type JobType, type JsonObject, type Rollout } from '@muster/contracts';
import type { Tx } from '@muster/journal';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { v7 as uuid } from 'uuid';
import type { Subject } from '../approvals/approvals.js';
import type { Ask, Family, Part, TargetPage } from '../rollout/family.js';
import type { LockedRollout } from '../rollout/locked-rollout.js';
import { OneCommandFamily } from '../rollout/one-command.family.js';
import type { RolloutEntity } from '../rollout/rollout.entity.js';
import { RolloutStore } from '../rollout/rollout.store.js';
import { RolloutWake } from '../rollout/rollout.wake.js';
import { shortfall } from '../rollout/tally.js';
import { jobTargets } from '../tasks/job-task.table.js';
import { JobBefore } from './job.before.js';
import { derivedStatus } from './job.decide.js';
import { JobEntity } from './job.entity.js';
import { JobStore } from './job.store.js';
import { jobTable } from './job.table.js';
import { JobTargets } from './job.targets.js';

/** What the devices of a job are told, by its type; another one where they are brought back. */
export const COMMAND_OF: Readonly<Record<JobType, { command: string; back: string }>> = {
  node_upgrade: { command: 'node_upgrade', back: 'node_upgrade' },
  deployment_deploy: { command: 'deployment_deploy', back: 'deployment_remove' },
  deployment_upgrade: { command: 'deployment_upgrade', back: 'deployment_upgrade' },
};

const MAX_PRIORITY = 1_000;

/** Batch jobs as rollouts. */
@Injectable()
export class JobFamily extends OneCommandFamily implements Family {
  readonly name = 'job';
  readonly table = jobTargets;
  readonly work = commandWork;
  readonly canPause = true;
  readonly repeats = false;

  constructor(
    private readonly dataSource: DataSource,
    private readonly jobs: JobStore,
    private readonly rollouts: RolloutStore,
    private readonly wake: RolloutWake,
    private readonly targets: JobTargets,
    private readonly had: JobBefore,
  ) {
    super();
  }

  async page(rollout: RolloutEntity): Promise<TargetPage | undefined> {
    const { project_id, id } = rollout;
    const job = await this.dataSource.getRepository(JobEntity).findOneBy({ project_id, id });
    return job ? this.targets.page(rollout, job) : undefined;
  }

  before({ project_id, command }: RolloutEntity, ids: readonly string[]): Promise<ReadonlyMap<string, JsonObject>> {
    return this.had.of(project_id, command, ids);
  }

  ask({ id, command, args }: RolloutEntity, { deployment_id, args: own }: Part): Ask {
    const document = deployment_id === null ? {} : { deployment_id };
    return { request_id: id, command, args, own: { ...document, ...(own as JsonObject | null) } };
  }

  // A task is nothing beside its part, so nothing follows from its end.
  async finished(): Promise<void> {}

  async subject(tx: Tx, { id }: LockedRollout): Promise<Subject> {
    const { job_name, created_by } = await this.jobs.get(tx, id);
    return { entity: jobEntity.name, id, name: job_name, requested_by: created_by };
  }

  async began(tx: Tx, { id }: LockedRollout): Promise<void> {
    await tx.transition(jobTable, 'Running', { ids: [id], from: ['Waiting'] });
  }

  async stopping(tx: Tx, { id, row }: LockedRollout): Promise<void> {
    const moved = await tx.transition(jobTable, 'Stopping', { ids: [id], set: { reason: row.reason } });
    if (moved.length === 0) await this.jobs.explain(tx, id, row.reason);
  }

  async goesOn(tx: Tx, { id }: LockedRollout): Promise<void> {
    await tx.transition(jobTable, 'Running', { ids: [id], from: ['Stopped'], set: { reason: '' } });
  }

  async rested(tx: Tx, { id, row }: LockedRollout): Promise<void> {
    const cancelled = row.wish !== 'pause';
    await tx.transition(jobTable, 'Stopped', { ids: [id], set: { reason: row.reason, cancelled } });
    if (row.wish !== 'rollback') return;
    const { rollback_job_id } = await this.jobs.get(tx, id);
    tx.afterCommit(() => this.wake.wake({ project_id: tx.project, id: rollback_job_id! }));
  }

  async ended(tx: Tx, rollout: LockedRollout): Promise<void> {
    const { placed, args, cut } = rollout.row;
    const hasNothingToUndo = placed === 0 && args['rollback_of'] !== undefined;
    const status = hasNothingToUndo ? 'Successful' : derivedStatus(rollout.row);
    // A job none of whose devices was ever released passes through Running, as its table says.
    if (!rollout.row.began_at && status !== 'Failed') await this.began(tx, rollout);
    const none = hasNothingToUndo ? 'nothing was to be brought back' : 'no device to work on';
    const reason = placed === 0 && !cut ? none : shortfall(rollout.row);
    await tx.transition(jobTable, status, { ids: [rollout.id], set: { reason } });
  }

  /** Makes the job that brings the changed devices back, once this one stands still. */
  async bringBack(tx: Tx, rollout: LockedRollout): Promise<void> {
    const job = await this.jobs.get(tx, rollout.id);
    const id = uuid();
    await tx.create(jobTable, {
      id: [id],
      job_name: [`${job.job_name.slice(0, 23)}-rb`],
      job_type: [job.job_type],
      description: [`brings back what ${job.job_name} changed: ${rollout.row.reason}`],
      tags: [job.tags],
      target_type: [job.target_type],
      task_data: [job.task_data],
      created_by: [job.created_by],
      rollback_of: [job.id],
    });
    const { max_in_flight, timeout, retry, priority = 0 } = rollout.row.spec;
    const spec: Rollout = {
      ...(max_in_flight !== undefined && { max_in_flight }),
      ...(timeout && { timeout }),
      ...(retry && { retry }),
      priority: Math.min(priority + 1, MAX_PRIORITY),
    };
    const args = { job_id: id, job_name: `${job.job_name.slice(0, 23)}-rb`, rollback_of: job.id };
    const { traceparent } = rollout.row;
    await this.rollouts.create(tx, {
      id,
      family: 'job',
      spec,
      command: COMMAND_OF[job.job_type].back,
      args,
      traceparent,
    });
    await this.jobs.linkRollback(tx, job.id, id);
  }
}
