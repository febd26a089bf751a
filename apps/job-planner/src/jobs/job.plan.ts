import { BATCH_SIZE, commandWork, deviceState, type RpcResponse } from '@muster/contracts';
import { Journal, type Tx } from '@muster/journal';
import { RpcClient } from '@muster/messaging';
import { Injectable } from '@nestjs/common';
import { v7 as uuid } from 'uuid';
import { FIRST_ASK_AT } from '../tasks/job-task.store.js';
import { jobTaskTable } from '../tasks/job-task.table.js';
import { REQUESTED, requestHead, requestItems } from './job.ask.js';
import { startsAtBirth } from './job.decide.js';
import type { JobEntity } from './job.entity.js';
import { JobStore, type CountChanges, type LockedJob } from './job.store.js';
import { jobTable } from './job.table.js';

type Resolved = RpcResponse<typeof deviceState.resolve>['devices'];

interface Page {
  devices: Resolved;
  cursor: string;
  last: boolean;
}

/** Turns a job's targets into tasks, a page at a time. */
@Injectable()
export class JobPlan {
  constructor(
    private readonly journal: Journal,
    private readonly rpc: RpcClient,
    private readonly jobs: JobStore,
  ) {}

  /** Plans the page after `job.plan_cursor`; does nothing if somebody else has planned it, or the job is no longer to be planned. */
  async nextPage(job: JobEntity): Promise<void> {
    // Asked before the transaction: no lock is held while another service thinks.
    const page = await this.resolve(job);
    await this.journal.transaction(job.project_id, async (tx) => {
      const now = await this.jobs.lock(tx, job.id);
      if (!now || now.planned || now.plan_cursor !== job.plan_cursor || now.wish !== 'run') return;
      const changes = await this.createTasks(tx, now, page.devices);
      await this.jobs.savePlan(tx, job.id, page.cursor, page.last, changes);
    });
  }

  private async resolve(job: JobEntity): Promise<Page> {
    const { project_id } = job;
    if (job.target_ids) {
      const from = Number(job.plan_cursor || 0);
      const ids = job.target_ids.slice(from, from + BATCH_SIZE);
      const { devices } = await this.rpc.call(deviceState.resolve, { project_id, query: { ids }, limit: BATCH_SIZE });
      return { devices, cursor: String(from + ids.length), last: from + ids.length >= job.target_ids.length };
    }
    const after = job.plan_cursor ? { after: job.plan_cursor } : {};
    const { devices, next } = await this.rpc.call(deviceState.resolve, {
      project_id,
      query: job.target_query!,
      limit: BATCH_SIZE,
      ...after,
    });
    return { devices, cursor: next ?? job.plan_cursor, last: next === null };
  }

  /** Creates the tasks of a page, in its order; the first of them in flight already, as far as the job has slots. */
  private async createTasks(tx: Tx, job: LockedJob, devices: Resolved): Promise<CountChanges> {
    const starting = startsAtBirth(job, devices.length);
    const rows = rowsOf(job, devices.slice(0, starting));
    const started = await tx.create(
      jobTaskTable,
      { ...rows, command_id: rows.id.map(() => uuid()) },
      { through: ['Running'], compute: { ask_at: FIRST_ASK_AT }, returning: REQUESTED },
    );
    const waiting = await tx.create(jobTaskTable, rowsOf(job, devices.slice(starting)));
    tx.work(commandWork.request, requestHead(job), requestItems(started), job.traceparent ?? undefined);
    if (started.length > 0 && job.state === 'Waiting') await tx.transition(jobTable, 'Running', { ids: [job.id] });
    return { task_total: started.length + waiting.length, pending: waiting.length, in_flight: started.length };
  }
}

function rowsOf(job: LockedJob, devices: Resolved) {
  const ids = devices.map(() => uuid());
  return {
    id: ids,
    job_id: devices.map(() => job.id),
    target_id: devices.map((device) => device.id),
    target_name: devices.map((device) => device.name),
    task_name: ids.map((id) => `${job.job_name}-${id.slice(-5)}`),
    deployment_id: devices.map(() => (job.job_type === 'deployment_deploy' ? uuid() : null)),
    round: devices.map(() => job.round),
  };
}
