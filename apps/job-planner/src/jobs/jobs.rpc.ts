import { INLINE_TASKS, jobPlanner, type Job, type RpcRequest, type RpcResponse } from '@muster/contracts';
import { Rpc } from '@muster/messaging';
import { Controller } from '@nestjs/common';
import { DataSource, MoreThan, type FindOptionsWhere } from 'typeorm';
import { JobTaskEntity } from '../tasks/job-task.entity.js';
import { JobAct, notFound } from './job.act.js';
import { JobCreate } from './job.create.js';
import { toJob, toSummary, toTask } from './job.document.js';
import { JobEntity } from './job.entity.js';

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
  async getJob({ project_id, job_id }: RpcRequest<typeof jobPlanner.getJob>): Promise<Job> {
    // One snapshot, so that the tasks shown agree with the counts.
    return this.dataSource.transaction('REPEATABLE READ', async (manager) => {
      const job = await manager.getRepository(JobEntity).findOneBy({ project_id, id: job_id });
      if (!job) throw notFound(job_id);
      const tasks = await manager
        .getRepository(JobTaskEntity)
        .find({ where: { project_id, job_id }, order: { id: 'ASC' }, take: INLINE_TASKS });
      return toJob(job, tasks);
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
    const [jobs, job_count] = await this.dataSource
      .getRepository(JobEntity)
      .findAndCount({ where, order: { created_at: direction, id: direction }, take: limit, skip: offset });
    return { job_count, jobs: jobs.map(toSummary) };
  }

  @Rpc(jobPlanner.listTasks)
  async listTasks(request: RpcRequest<typeof jobPlanner.listTasks>): Promise<RpcResponse<typeof jobPlanner.listTasks>> {
    const { project_id, job_id, status, limit, marker } = request;
    return this.dataSource.transaction('REPEATABLE READ', async (manager) => {
      if (!(await manager.getRepository(JobEntity).existsBy({ project_id, id: job_id }))) throw notFound(job_id);
      const repository = manager.getRepository(JobTaskEntity);
      // A status that only jobs have is a fair question with an empty answer.
      const where = { project_id, job_id, ...(status ? { state: status as JobTaskEntity['state'] } : {}) };
      const task_count = await repository.countBy(where);
      const page = await repository.find({
        where: { ...where, ...(marker ? { id: MoreThan(marker) } : {}) },
        order: { id: 'ASC' },
        take: limit + 1,
      });
      const tasks = page.slice(0, limit);
      return { task_count, tasks: tasks.map(toTask), next_marker: page.length > limit ? tasks.at(-1)!.id : null };
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
