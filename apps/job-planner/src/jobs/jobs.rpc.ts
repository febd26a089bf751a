import { DomainError, INLINE_TASKS, jobPlanner, type Job, type RpcRequest, type RpcResponse } from '@muster/contracts';
import { JsonText, Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { DataSource, type FindOptionsSelect, type FindOptionsWhere } from 'typeorm';
import { shownTasks } from '../tasks/shown.tasks.js';
import { JobAct, notFound } from './job.act.js';
import { JobCreate } from './job.create.js';
import { tasksDeleted } from './job.decide.js';
import { countIn, fitting, jobText, toSummary } from './job.document.js';
import { JobEntity } from './job.entity.js';

// Without targets and task_data: they may be large, and a list does not show them.
const SUMMARY = {
  project_id: true,
  id: true,
  job_name: true,
  job_type: true,
  description: true,
  tags: true,
  target_type: true,
  state: true,
  reason: true,
  created_at: true,
  state_at: true,
  task_total: true,
  pending: true,
  in_flight: true,
  succeeded: true,
  failed: true,
  timed_out: true,
  cancelled: true,
} satisfies FindOptionsSelect<JobEntity>;

// Without the targets: they may be thousands, and the tasks say them.
const SHOWN = {
  ...SUMMARY,
  task_data: true,
  rollout: true,
  tasks_deleted_at: true,
} satisfies FindOptionsSelect<JobEntity>;

/** Questions about jobs, and what users ask of them. */
@Controller()
export class JobsRpc {
  constructor(
    private readonly dataSource: DataSource,
    private readonly creation: JobCreate,
    private readonly action: JobAct,
  ) {}

  @Rpc(jobPlanner.createJob)
  async createJob(request: RpcRequest<typeof jobPlanner.createJob>): Promise<RpcResponse<typeof jobPlanner.createJob>> {
    const { job_id, job_name, created_at } = toSummary(await this.creation.create(request));
    return { job_id, job_name, created_at };
  }

  @Rpc(jobPlanner.getJob)
  async getJob({ project_id, job_id }: RpcRequest<typeof jobPlanner.getJob>): Promise<JsonText<Job>> {
    // One snapshot, so that the tasks shown agree with the counts.
    return this.dataSource.transaction('REPEATABLE READ', async (manager) => {
      const job = await manager.getRepository(JobEntity).findOne({ where: { project_id, id: job_id }, select: SHOWN });
      if (!job) throw notFound(job_id);
      return jobText(job, job.tasks_deleted_at ? [] : await shownTasks(manager, job, { limit: INLINE_TASKS }));
    });
  }

  @Rpc(jobPlanner.listJobs)
  async listJobs(request: RpcRequest<typeof jobPlanner.listJobs>): Promise<RpcResponse<typeof jobPlanner.listJobs>> {
    const { project_id, job_type, status, limit, offset, sort } = request;
    const where: FindOptionsWhere<JobEntity> = {
      project_id,
      ...(job_type ? { job_type } : {}),
      ...(status ? { state: status } : {}),
    };
    const direction = sort === 'created_at:asc' ? 'ASC' : 'DESC';
    const [jobs, job_count] = await this.dataSource.getRepository(JobEntity).findAndCount({
      where,
      select: SUMMARY,
      order: { created_at: direction, id: direction },
      take: limit,
      skip: offset,
    });
    return { job_count, jobs: jobs.map(toSummary) };
  }

  @Rpc(jobPlanner.listTasks)
  async listTasks(
    request: RpcRequest<typeof jobPlanner.listTasks>,
  ): Promise<JsonText<RpcResponse<typeof jobPlanner.listTasks>>> {
    const { project_id, job_id, status, limit, marker } = request;
    return this.dataSource.transaction('REPEATABLE READ', async (manager) => {
      const job = await manager.getRepository(JobEntity).findOne({ where: { project_id, id: job_id }, select: SHOWN });
      if (!job) throw notFound(job_id);
      if (job.tasks_deleted_at) throw new DomainError('not_found', tasksDeleted(job.tasks_deleted_at));
      const page = await shownTasks(manager, job, { status, after: marker, limit: limit + 1 });
      const texts = fitting(page.slice(0, limit));
      const next_marker = page.length > texts.length ? page[texts.length - 1]!.id : null;
      const rest = JSON.stringify({ task_count: countIn(job, status), next_marker });
      return new JsonText(`${rest.slice(0, -1)},"tasks":[${texts.join(',')}]}`);
    });
  }

  @Rpc(jobPlanner.actOnJob)
  async actOnJob({
    project_id,
    job_id,
    action,
  }: RpcRequest<typeof jobPlanner.actOnJob>): Promise<RpcResponse<typeof jobPlanner.actOnJob>> {
    return { job_id, status: await this.action.act({ project_id, id: job_id }, action) };
  }

  @Rpc(jobPlanner.deleteJob)
  async deleteJob({
    project_id,
    job_id,
  }: RpcRequest<typeof jobPlanner.deleteJob>): Promise<RpcResponse<typeof jobPlanner.deleteJob>> {
    await this.action.delete({ project_id, id: job_id });
    return {};
  }
}
